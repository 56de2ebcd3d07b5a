// Powers of numbers x >= 0 whose exponent is a setting: a struct of a loss takes one of these as its parameter.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// Any y.
struct AnyExponent {
    template <class T> static LOSSLIB_INLINE T power(T x, double y) { return losslib::power(x, T(y)); }
};

// y = 0, 1, ..., 7, by multiplication: a few roundings, and a fraction of the time.
struct WholeExponent {
    template <class T> static LOSSLIB_INLINE T power(T x, double y) {
        const int n = static_cast<int>(y);
        const T x2 = x * x;
        return select((n & 1) != 0, x, T(1)) * select((n & 2) != 0, x2, T(1)) * select((n & 4) != 0, x2 * x2, T(1));
    }
};

}  // namespace losslib
