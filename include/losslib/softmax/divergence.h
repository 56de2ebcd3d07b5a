// Divergences of two softmax rows as sums over the classes. The loops are in columns.h.
//
// Everything is float64: what is left of two similar probabilities, and of slopes beside their mean, is then exact in
// float32.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// Divergences of p = exp(lp) from y = exp(ly), both with the sum 1, as functions of d = lp - ly:
//
// sum y log(y/p) = sum y (exp(d) - 1 - d), since sum y exp(d) = sum p = sum y: no term is below 0 and none of first
// order is left that would have to cancel among the classes.
//
// One class: `value` adds up to the divergence. `excess` is p - y without the difference. The gradient is excess_k if the
// divergence is linear in p, p_k (slope_k - sum_j p_j slope_j) otherwise.
//
// If every d is too large by the same small number, as an error in the logarithm of a sum makes it, the excesses add up
// to that number r in place of 0. Gradients do not notice; the value is too large by curvature r^2/2.
struct DivergenceTerm {
    double value, slope, excess;
};

// exp(d) - 1, and exp(d) - 1 - d, which keeps its digits near 0, for d <= 709.
struct Growth {
    double expm1, beyond_line;
};
LOSSLIB_INLINE Growth growth_of(double d) {
    using F = FloatFormat<double>;
    const ReducedExp<double> e = reduce_exp(select(d < F::expm1_lowest, F::expm1_lowest, d), F::bias);
    const double scale = from_bits<double>(to_bits(e.shifted) << F::mantissa_bits);
    const double expm1 = scale * e.m + (scale - 1.0);
    return {expm1, select(e.n == 0.0, e.bend, expm1 - d)};
}

// log(1 + w), and w - log(1 + w), which keeps its digits near 0, for w >= -1/2.
struct Logarithm {
    double log1p, below_line;
};
LOSSLIB_INLINE Logarithm logarithm_of(double w) {
    using F = FloatFormat<double>;
    // Rounding 1 + w loses 1e-16 of a logarithm that is beyond 1/3 then.
    const ReducedLog<double> r = reduce_log(1.0 + w);
    const double f = select(r.minus_k == 0.0, w, r.f), most = r.minus_k * F::ln2_hi;
    const LogCorrection<double> c = log_correction(f);
    const double bend = c.half_square - (c.tail - r.minus_k * F::ln2_lo);
    return {(f - bend) - most, ((w + most) - f) + bend};
}

// y log(y/p)
struct DivergenceOfTarget {
    static constexpr bool is_linear = true;
    LOSSLIB_INLINE double curvature() const { return 1.0; }
    LOSSLIB_INLINE DivergenceTerm at(double p, double y, double d) const {
        const bool far = d > 1.0;
        const Growth growth = growth_of(select(far, 1.0, d));
        const double value = select(far, (p - y) - y * d, y * growth.beyond_line);
        const double excess = select(far, p - y, y * growth.expm1);
        return {select(y == 0.0, p, value), 0.0, select(p + y == 0.0, 0.0, excess)};
    }
};

// p log(p/y)
struct DivergenceOfInput {
    static constexpr bool is_linear = false;
    LOSSLIB_INLINE double curvature() const { return 1.0; }
    LOSSLIB_INLINE DivergenceTerm at(double p, double y, double d) const {
        const bool far = d < -1.0;
        const Growth growth = growth_of(select(far, 1.0, -d));
        const double value = select(far, (y - p) + p * d, p * growth.beyond_line);
        const double excess = select(far, p - y, -p * growth.expm1);
        return {select(p == 0.0, y, value), select(p == 0.0, 0.0, d), select(p + y == 0.0, 0.0, excess)};
    }
};

// beta y log(y/m) + (1 - beta) p log(p/m), m = beta y + (1 - beta) p
//
// Of both, `main` is the one that m has more of, and the other is main exp(q). With z = exp(q) - 1 and w = m/main - 1 the
// term is main times own other z^2 + (1 + w) (w - log(1 + w)) - other (1 + z) (z - q), in which `own` and `other` are
// their parts of m: each of second order in q.
struct DivergenceOfBoth {
    double beta;
    static constexpr bool is_linear = false;
    LOSSLIB_INLINE double curvature() const { return beta * (1.0 - beta); }
    LOSSLIB_INLINE DivergenceTerm at(double p, double y, double d) const {
        const bool by_target = beta > 0.5;
        const double of_p = 1.0 - beta, own = select(by_target, beta, of_p), of_other = select(by_target, of_p, beta);
        const double main = select(by_target, y, p), other = select(by_target, p, y), q = select(by_target, d, -d);
        const double held = select(q > 700.0, 700.0, q);
        const Growth growth = growth_of(held);
        const Logarithm logarithm = logarithm_of(of_other * growth.expm1);
        const double of_main = logarithm.log1p + select(q > 700.0, q - 700.0, 0.0);  // log(m/main)
        const double of_rest = logarithm.log1p - held;                               // log(m/other)
        const double own_main = own * main, own_other = of_other * other;
        const double near = own_main * of_other * growth.expm1 * growth.expm1 +
                            ((own_main + own_other) * logarithm.below_line -
                             product_or_zero(own_other, growth.beyond_line));
        const bool far = q > 1.0, absent = p + y == 0.0;
        const double value = select(far, -product_or_zero(own_main, of_main) - own_other * of_rest, near);
        const double excess = select(far, other - main, main * growth.expm1);
        return {select(absent, 0.0, value), select(p == 0.0, 0.0, -of_p * select(by_target, of_rest, of_main)),
                select(absent, 0.0, select(by_target, excess, -excess))};
    }
};

}  // namespace losslib
