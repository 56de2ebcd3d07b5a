// Branch-free choice and the comparisons that the scalar mathematics needs.
//
// Everything here works for float, double and the dual numbers of core/dual.h, so a loss is written once
// and can be differentiated by machine in the tests. Both sides of a `select` are evaluated: GCC and Clang
// turn it into a vector blend, which is why the headers use it in place of `if`.
#pragma once

#include "losslib/core/inline.h"

namespace losslib {

template <class T> LOSSLIB_INLINE T select(bool condition, T if_true, T if_false) {
    return condition ? if_true : if_false;
}

// The second argument if either is NaN.
template <class T> LOSSLIB_INLINE T maximum(T a, T b) { return select(a > b, a, b); }
template <class T> LOSSLIB_INLINE T minimum(T a, T b) { return select(a < b, a, b); }
template <class T> LOSSLIB_INLINE T square(T a) { return a * a; }

// -1, 0 or 1; NaN stays NaN so that a NaN prediction has a NaN gradient.
template <class T> LOSSLIB_INLINE T sign(T a) { return select(a > T(0), T(1), select(a < T(0), T(-1), a * T(0))); }

// coefficient * factor, with 0 * inf = 0: a term whose coefficient is exactly zero is not there.
template <class T> LOSSLIB_INLINE T product_or_zero(T coefficient, T factor) {
    return select(coefficient == T(0), T(0), coefficient * factor);
}

}  // namespace losslib
