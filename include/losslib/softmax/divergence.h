// Divergences of two softmax rows as sums over the classes. The loops are in pyx/softmax/divergence.pxd.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// Divergences of p = exp(lp) from y = exp(ly), both with the sum 1, as functions of d = lp - ly:
//
// sum y log(y/p) = sum y (exp(d) - 1 - d), since sum y exp(d) = sum p = sum y: no term is below 0 and none of first
// order is left that would have to cancel among the classes.

// exp(d) - 1 - d, given growth = exp(d) - 1; d^2/2 near 0.
template <class T> LOSSLIB_INLINE T growth_beyond_line(T d, T growth) {
    const T series =
        polynomial(d, T(1) / T(2), T(1) / T(6), T(1) / T(24), T(1) / T(120), T(1) / T(720), T(1) / T(5040),
                   T(1) / T(40320), T(1) / T(362880), T(1) / T(3628800), T(1) / T(39916800), T(1) / T(479001600));
    return select(abs(d) < T(0.25), d * d * series, growth - d);
}

// y (exp(d) - 1 - d) for p = y exp(d). Where y is 0 only p is left.
template <class T> LOSSLIB_INLINE T divergence_term(T p, T y, T d, T growth) {
    const T near = y * growth_beyond_line(d, growth);
    return select(y == T(0), p, select(d > T(1), (p - y) - y * d, near));
}

// One class: `value` adds up to the divergence, and d/dx_k = slope_k - p_k sum(slope). `even` has the sum of the slopes
// too, again without terms of first order.
template <class T> struct DivergenceTerm {
    T value, slope, even;
};

// y log(y/p); the slope is p - y itself, with the sum 0.
struct DivergenceOfTarget {
    template <class T> LOSSLIB_INLINE DivergenceTerm<T> at(T p, T y, T d) const {
        const T lost = expm1(-abs(d));  // the smaller of both over the larger, less 1
        const T growth = select(d > T(0), -lost / (T(1) + lost), lost);
        const T slope = select(d <= T(0), y * lost, -p * lost);
        return {divergence_term(p, y, d, growth), select(p + y == T(0), T(0), slope), T(0)};
    }
};

// p log(p/y)
struct DivergenceOfInput {
    template <class T> LOSSLIB_INLINE DivergenceTerm<T> at(T p, T y, T d) const {
        const T lost = expm1(-abs(d));
        const T growth = select(d < T(0), -lost / (T(1) + lost), lost);
        const T value = divergence_term(y, p, -d, growth);
        return {value, product_or_zero(p, d), value};
    }
};

// beta y log(y/m) + (1 - beta) p log(p/m), m = beta y + (1 - beta) p
struct DivergenceOfBoth {
    double beta;
    template <class T> LOSSLIB_INLINE DivergenceTerm<T> at(T p, T y, T d) const {
        const T of_y = T(beta), of_p = T(1 - beta), m = of_y * y + of_p * p, distance = abs(d);
        const bool more = d > T(0);
        const T lost = select(more, of_y, of_p) * expm1(-distance);
        const T won = select(more, of_p, of_y) * expm1(select(distance > T(700), T(700), distance));
        // m relative to the larger and to the smaller of both
        const T log_lost = log1p(lost), log_won = log1p(won);
        const T log_p = select(more, log_lost, log_won);
        const T own = of_p * divergence_term(m, p, log_p, select(more, lost, won));
        const T other = of_y * divergence_term(m, y, select(more, log_won, log_lost), select(more, won, lost));
        return {own + other, -of_p * product_or_zero(p, log_p), own};
    }
};

}  // namespace losslib
