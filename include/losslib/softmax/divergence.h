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
// One class: `value` adds up to the divergence. The gradient is slope_k if the divergence is linear in p, and
// p_k (slope_k - sum_j p_j slope_j) otherwise. An error in the logarithm of a sum, which makes every d too large by the
// same small number, counts for half its square only.
struct DivergenceTerm {
    double value, slope;
};

// Up to this |d| a polynomial stands for exp(d) - 1; beyond it p - y has digits enough.
constexpr double near_divergence = 0.34;

// y log(y/p); the slope is p - y itself.
struct DivergenceOfTarget {
    static constexpr bool is_linear = true;
    LOSSLIB_INLINE DivergenceTerm at(double p, double y, double d) const {
        const bool near = abs(d) < near_divergence;
        const double bend = d * d * FloatFormat<double>::exp_tail(d), more = p - y;
        return {select(y == 0.0, p, select(near, y * bend, more - y * d)), select(near, y * (d + bend), more)};
    }
};

// p log(p/y)
struct DivergenceOfInput {
    static constexpr bool is_linear = false;
    LOSSLIB_INLINE DivergenceTerm at(double p, double y, double d) const {
        const bool near = abs(d) < near_divergence;
        const double bend = d * d * FloatFormat<double>::exp_tail(-d);
        return {select(p == 0.0, y, select(near, p * bend, (y - p) + p * d)), select(p == 0.0, 0.0, d)};
    }
};

// beta y log(y/m) + (1 - beta) p log(p/m), m = beta y + (1 - beta) p
//
// Of both, `main` is the one that m has more of, and the other is main exp(q). With z = exp(q) - 1 and w = m/main - 1 the
// term is main times own other z^2 + (1 + w) (w - log(1 + w)) - other (1 + z) (z - q), in which `own` and `other` are
// their parts of m: each of second order in q.
template <bool by_target> struct DivergenceOfBoth {
    double beta;
    static constexpr bool is_linear = false;
    LOSSLIB_INLINE DivergenceTerm at(double p, double y, double d) const {
        using F = FloatFormat<double>;
        const double of_p = 1.0 - beta, of_other = by_target ? of_p : beta;
        const double main = by_target ? y : p, other = by_target ? p : y, distance = by_target ? d : -d;
        // Finite, so that a probability of 0 takes all with it; one that is NaN stays.
        const double below = select(distance < 1e300, distance, 1e300), q = select(below > -1e300, below, -1e300);
        const double held = select(q > 700.0, 700.0, q);
        const double bounded = select(held < F::expm1_lowest, F::expm1_lowest, held);
        const double shifted = bounded * F::log2_e + (F::magic + F::bias), k = shifted - (F::magic + F::bias);
        const double leading = bounded - k * F::ln2_hi, trailing = k * F::ln2_lo, rest = leading - trailing;
        const double curve = rest * rest * F::exp_tail(rest),
                     scale = from_bits<double>(to_bits(shifted) << F::mantissa_bits);
        const double z = scale * (leading + (curve - trailing)) + (scale - 1.0);
        const double beyond_line = select(k == 0.0, curve, z - q);

        // log(1 + w) and w - log(1 + w): rounding 1 + w loses 1e-16 of a logarithm that is beyond 1/3 then.
        const double w = of_other * z;
        const ReducedLog<double> r = reduce_log(1.0 + w);
        const double f = select(r.minus_k == 0.0, w, r.f), most = r.minus_k * F::ln2_hi;
        const LogCorrection<double> c = log_correction(f);
        const double bend = c.half_square - (c.tail - r.minus_k * F::ln2_lo);
        const double log1p = (f - bend) - most, below_line = ((w + most) - f) + bend;

        const double of_main = log1p + (q - held), of_rest = log1p - held;  // log(m/main), log(m/other)
        const double own_main = (1.0 - of_other) * main, own_other = of_other * other;
        const double near =
            own_main * of_other * z * z + ((own_main + own_other) * below_line - own_other * beyond_line);
        const double far = -(own_main * of_main + own_other * of_rest);
        return {select(q > 1.0, far, near), -of_p * (by_target ? of_rest : of_main)};
    }
};

}  // namespace losslib
