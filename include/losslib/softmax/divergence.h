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

// exp(d) - 1 - d, given growth = exp(d) - 1; near 0, where their difference loses digits, a series. Float32 needs it
// further out, where the same terms are enough for it.
template <class T> LOSSLIB_INLINE T growth_beyond_line(T d, T growth) {
    const T series =
        polynomial(d, T(1) / T(2), T(1) / T(6), T(1) / T(24), T(1) / T(120), T(1) / T(720), T(1) / T(5040),
                   T(1) / T(40320), T(1) / T(362880), T(1) / T(3628800), T(1) / T(39916800), T(1) / T(479001600));
    return select(abs(d) < T(sizeof(T) == 4 ? 1.0 : 0.25), d * d * series, growth - d);
}

// y (exp(d) - 1 - d) for p = y exp(d). Where y is 0 only p is left.
template <class T> LOSSLIB_INLINE T divergence_term(T p, T y, T d, T growth) {
    const T near = y * growth_beyond_line(d, growth);
    return select(y == T(0), p, select(d > T(1), (p - y) - y * d, near));
}

// p - y without the difference, given exp(-|d|) - 1.
template <class T> LOSSLIB_INLINE T excess_of(T p, T y, T d, T lost) {
    return select(p + y == T(0), T(0), select(d <= T(0), y * lost, -p * lost));
}

// One class: `value` adds up to the divergence, and d/dx_k = slope_k - p_k sum(slope). `excess` is p - y.
//
// If every d is too large by the same small number, as an error in the logarithm of a sum makes it, the excesses add up
// to r = exp(that number) - 1 in place of 0. Gradients do not notice; the value is too large by curvature (r - log1p(r)).
template <class T> struct DivergenceTerm {
    T value, slope, excess;
};

// y log(y/p); the slope is p - y itself.
struct DivergenceOfTarget {
    LOSSLIB_INLINE double curvature() const { return 1.0; }
    template <class T> LOSSLIB_INLINE DivergenceTerm<T> at(T p, T y, T d) const {
        const T lost = expm1(-abs(d));  // the smaller of both over the larger, less 1
        const T growth = select(d > T(0), -lost / (T(1) + lost), lost);
        const T excess = excess_of(p, y, d, lost);
        return {divergence_term(p, y, d, growth), excess, excess};
    }
};

// p log(p/y)
struct DivergenceOfInput {
    LOSSLIB_INLINE double curvature() const { return 1.0; }
    template <class T> LOSSLIB_INLINE DivergenceTerm<T> at(T p, T y, T d) const {
        const T lost = expm1(-abs(d));
        const T growth = select(d < T(0), -lost / (T(1) + lost), lost);
        return {divergence_term(y, p, -d, growth), product_or_zero(p, d), excess_of(p, y, d, lost)};
    }
};

// beta y log(y/m) + (1 - beta) p log(p/m), m = beta y + (1 - beta) p
struct DivergenceOfBoth {
    double beta;
    LOSSLIB_INLINE double curvature() const { return beta * (1.0 - beta); }
    template <class T> LOSSLIB_INLINE DivergenceTerm<T> at(T p, T y, T d) const {
        // Where one is exp(-far) of the other nothing of it is left in m.
        const T far = T(sizeof(T) == 4 ? 80 : 700), distance = abs(d);
        const T of_y = T(beta), of_p = T(1 - beta), m = of_y * y + of_p * p, less = expm1(-distance);
        const bool more = d > T(0);
        const T lost = select(more, of_y, of_p) * less;
        const T won = select(more, of_p, of_y) * expm1(select(distance > far, far, distance));
        // m relative to the larger and to the smaller of both
        const T log_lost = log1p(lost), log_won = log1p(won);
        const T log_p = select(more, log_lost, log_won);
        const T own = of_p * divergence_term(m, p, log_p, select(more, lost, won));
        const T other = of_y * divergence_term(m, y, select(more, log_won, log_lost), select(more, won, lost));
        return {own + other, -of_p * product_or_zero(p, log_p), excess_of(p, y, d, less)};
    }
};

}  // namespace losslib
