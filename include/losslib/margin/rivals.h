// Losses that look at one class beside the target: its rival, the one that comes closest or goes farthest ahead.
//
// A struct has the margin as its field and says how the classes compete, what the value of the best rival is, and the
// slopes. The loops that look for the rival are in pyx/margin/rivals.pxd.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/core/select.h"

namespace losslib {

struct Rivals {
    double margin;

    // max(0, margin + best - own); this way round NaN stays. At the kink no gradient flows.
    LOSSLIB_INLINE double value(double best, double own) const {
        const double ahead = best - own + margin;
        return select(ahead <= 0, 0.0, ahead);
    }
};

// L076: max(0, margin + max over i != t of x_i - x_t); with margin 0 the perceptron's loss, L079. The scores compete as
// they are; the slope is 1 at the rival, -1 at the target.
struct CrammerSinger : Rivals {};

// L075: max(0, margin + max over i of (1 - y_i) x_i - sum of y_i x_i), y a row of probabilities. The coefficient 0 leaves
// nothing of an infinite score.
struct CategoricalHinge : Rivals {
    template <class T> LOSSLIB_INLINE T wrong(T x, T y) const { return product_or_zero(T(1) - y, x); }
    template <class T> LOSSLIB_INLINE T right(T x, T y) const { return product_or_zero(y, x); }
    // Times a factor; 0 - z has no negative zeros, and 1 - 2 y is rounded once.
    template <class T> LOSSLIB_INLINE T slope(T y, T factor) const { return T(0) - factor * y; }
    template <class T> LOSSLIB_INLINE T slope_of_rival(T y, T factor) const {
        return static_cast<T>(static_cast<double>(factor) * (1.0 - 2.0 * static_cast<double>(y)));
    }
};

}  // namespace losslib
