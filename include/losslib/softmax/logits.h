// What a loss sees in place of a logit x: value and slope of the map, and its second derivative over the slope. The loops are in
// pyx/softmax/logits.pxd; the class of the number and the target's are known there.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

template <class T> struct Mapped {
    T value, slope, bend;
};

// cap tanh(x/cap)
struct SoftCap {
    double cap;
    template <class T> LOSSLIB_INLINE Mapped<T> at(T x) const {
        const T c = T(cap), u = x / c, bounded = tanh(u), e = exp(T(-2) * abs(u));
        const T slope = T(4) * e / ((T(1) + e) * (T(1) + e));  // 1 - tanh(u)^2 without the difference
        return {c * bounded, slope, T(-2) * bounded / c};
    }
};

}  // namespace losslib
