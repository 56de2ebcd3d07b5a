// Losses of a softmax row as functions of one log-probability: value and slope from shared subexpressions.
//
// With p = softmax(x), lp = log p and a target t (an index or a distribution) these losses are sum_c t_c f(lp_c), and
//   d/dx_k = t_k f'(lp_k) - p_k sum_c t_c f'(lp_c).
// A struct is one f; the rows, the reductions over classes and the stores are in pyx/softmax*.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

template <class T> struct Picked {
    T value, slope;
};

// -lp
struct CrossEntropyPick {
    template <class T> LOSSLIB_INLINE Picked<T> at(T lp) const { return {-lp, T(-1)}; }
};

// -(1 - p)^gamma lp. At lp = 0 the factor is 0 (1 for gamma = 0); log(1 - p) = log(-expm1(lp)) keeps both tails.
struct FocalPick {
    double gamma;
    template <class T> LOSSLIB_INLINE Picked<T> at(T lp) const {
        const T g = T(gamma);
        const T q = -expm1(lp);  // 1 - p
        const T p = exp_nonpositive(minimum(lp, T(0)));
        const T factor = power(maximum(T(0), q), g);  // NaN stays NaN
        // d/dlp [-q^g lp] = -q^g + g q^(g-1) p lp; lp/q -> -1 as q -> 0, so that the second term is -g q^g p there.
        const T ratio = select(q > T(0), lp / q, T(-1));
        const T value = select(factor == T(0), T(0), -factor * lp);
        return {value, select(g == T(0), T(-1),
                              select(factor == T(0), T(0), factor * (g * product_or_zero(p, ratio) - T(1))))};
    }
};

// -lp + epsilon (1 - p)
struct PolyPick {
    double epsilon;
    template <class T> LOSSLIB_INLINE Picked<T> at(T lp) const {
        const T q = -expm1(lp);
        return {T(epsilon) * q - lp, T(epsilon) * (q - T(1)) - T(1)};
    }
};

// (1 - p^q)/q
struct GeneralizedPick {
    double q;
    template <class T> LOSSLIB_INLINE Picked<T> at(T lp) const {
        const T e = expm1(T(q) * lp);
        return {-e / T(q), -e - T(1)};
    }
};

// alpha (-lp) + 4 beta (1 - p): the reverse cross entropy with log 0 = -4 for a certain target.
struct SymmetricPick {
    double alpha, beta;
    template <class T> LOSSLIB_INLINE Picked<T> at(T lp) const {
        const T q = -expm1(lp);
        return {T(4 * beta) * q - T(alpha) * lp, T(4 * beta) * (q - T(1)) - T(alpha)};
    }
};

}  // namespace losslib
