// Losses of a softmax row as functions of one log-probability: value and slope from shared subexpressions.
//
// With p = softmax(x), lp = log p and a target t (an index or a distribution) these losses are sum_c t_c f(lp_c), and
//   d/dx_k = t_k f'(lp_k) - p_k sum_c t_c f'(lp_c).
// A struct is one f, its members are the numbers of the declaration in their order; the rows, the reductions over classes
// and the stores are in pyx/softmax/.
#pragma once

#include <cmath>

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
        return {T(4 * beta) * q - product_or_zero(T(alpha), lp), T(4 * beta) * (q - T(1)) - T(alpha)};
    }
};

// alpha sum_c t_c (-lp_c) + beta sum_c p_c r_c for a distribution t, with r_c = -log(max(t_c, exp(-4))).
template <class T> LOSSLIB_INLINE T reverse_cost(T t) { return select(t > T(0.01831563888873418), -log(t), T(4)); }

// ---- probabilities that come in as they are, in Keras' convention ---------------------------------------------

struct Clipped {
    double cost, p;
};

// -log(min(max(p, 1e-7), 1 - 1e-7)), and p, or 0 where the clip holds; NaN stays NaN.
struct ClippedLogarithm {
    LOSSLIB_INLINE Clipped at(double p) const {
        const double low = 1e-7, high = 1.0 - 1e-7;
        if (p < low) return {-std::log(low), 0.0};
        if (p > high) return {-std::log(high), 0.0};
        return {-std::log(p), p};
    }
};

}  // namespace losslib
