// Negative log-likelihoods and divergences. The input is the mean (or its logarithm) of a distribution, the
// target what was observed; for the divergences a predicted and a true density.
//
// PyTorch's conventions where PyTorch has the loss: constants of the target only in the Full variants,
// variances floored at eps while the gradient flows past the floor, 0 log 0 = 0.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "losslib/core/inline.h"
#include "losslib/core/jet.h"
#include "losslib/core/select.h"
#include "losslib/core/special.h"
#include "losslib/core/vecmath.h"
#include "losslib/pointwise/robust.h"

namespace losslib {

constexpr double LOG_2 = 0.693147180559945309417;

// coefficient * exp(exponent), finite wherever the product is: the exponential enters as two factors.
template <class T> LOSSLIB_INLINE T times_exp(T coefficient, T exponent) {
    const T half = exp(T(0.5) * exponent);
    return select(coefficient == T(0), T(0), coefficient * half * half);
}

// first + second; where both are infinite with opposite signs, the one that grows faster.
template <class T> LOSSLIB_INLINE T sum_or_dominant(T first, T second, bool first_dominates) {
    const T sum = first + second;
    const bool undefined = (first == -second) & !(sum == T(0));
    return select(undefined, select(first_dominates, first, second), sum);
}

// Poisson losses with log(t!) in Stirling's approximation, which PyTorch takes for t > 1 only: log(2 pi t) / 2 is left beside
// t log(t / mean) - t + mean. Its terms are of the size t log(t), the sum is not: near the mean it is computed as a
// divergence, and further away from the difference of the logarithms.
template <class T> LOSSLIB_INLINE Jet<T> with_stirling(const Jet<T>& jet, T target, T mean, T log_mean, T beside) {
    const bool applies = target > T(1);
    const T log_target = log(select(applies, target, T(1)));
    const T inverse = T(1) / target, distance = log_target - log_mean, slope = (mean - target) / mean;
    const QuotientLog<T> near = log_of_quotient(target, mean, slope);
    const T divergence =
        select(is_small_difference(slope), mean * near.divergence, product_or_zero(target, distance - T(1)) + mean);
    const T value = divergence + ((T(0.5) * log_target + T(HALF_LOG_2PI)) - beside);
    return {select(applies, value, jet.value), jet.grad, jet.hess,
            select(applies, distance + T(0.5) * inverse, jet.grad2),
            select(applies, inverse * (T(1) - T(0.5) * inverse), jet.hess2)};
}

// exp(x) - t x, L032: Poisson with the logarithm of its mean. The exponential wins at x = inf.
struct PoissonLog {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T mean = exp(input);
        const T value = mean - product_or_zero(target, minimum(T(1e6), input));
        return {value, mean - target, mean, -input, T(0)};
    }
};

// PoissonLog with Stirling's term.
struct PoissonLogFull {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        return with_stirling(PoissonLog{}.at(input, target), target, exp(input), minimum(T(1e6), input), T(0));
    }
};

// x - t log(x + eps), L032: Poisson with its mean.
struct PoissonIdentity {
    double eps;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T shifted = input + T(eps);
        const T logarithm = log(shifted);
        const T inverse = T(1) / shifted;
        const T nothing = select(shifted == shifted, T(0), shifted);
        const T ratio = select(target == T(0), nothing, target * inverse);
        return {input - product_or_zero(target, logarithm), T(1) - ratio, product_or_zero(ratio, inverse), -logarithm,
                T(0)};
    }
};

// PoissonIdentity with Stirling's term.
struct PoissonIdentityFull {
    double eps;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T mean = input + T(eps);
        return with_stirling(PoissonIdentity{eps}.at(input, target), target, mean, log(mean), T(eps));
    }
};

// (log v + d^2 / v) / 2 [+ log(2 pi) / 2 if full], v = max(var, eps), L030. d^2 / v is d (d / v): it
// overflows only if the quotient does. The partials for var are those at v, below eps too, as PyTorch's clamp
// is hidden from autograd.
struct Gaussian {
    double eps, full;
    static constexpr int partner = 3;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target, T var) const {
        const T v = maximum(T(eps), var);
        const T d = input - target;
        const T precision = T(1) / v;
        const T q = d * precision;
        return {T(0.5) * (log(v) + d * q) + T(full * HALF_LOG_2PI),
                q,
                precision,
                -q,
                precision,
                T(0.5) * (precision - q * q),
                precision * (q * q - T(0.5) * precision)};
    }
};

// x + t exp(-x), L033: gamma with the logarithm of its mean, constants dropped.
struct GammaLog {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T ratio = times_exp(target, -input);
        return {input + ratio, T(1) - ratio, ratio, exp(-input), T(0)};
    }
};

// log x + t / x: gamma with its mean. At x = 0 the quotient wins.
struct GammaIdentity {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T inverse = T(1) / input;
        const T ratio = target / input;
        return {log(select(input == T(0), T(1), input)) + ratio, (T(1) - ratio) * inverse,
                (T(2) * ratio - T(1)) * inverse * inverse, inverse, T(0)};
    }
};

// -t e^((1-p) x) / (1-p) + e^((2-p) x) / (2-p), L034: Tweedie of power p with the logarithm of its mean, p
// not 0, 1, 2. The two exponentials have opposite signs outside 1 < p < 2; the first grows faster for p > 2,
// the second for p < 1.
struct TweedieLog {
    double power;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T slope1 = T(1.0 - power), slope2 = T(2.0 - power);
        const T first = times_exp(target, slope1 * input);
        const T second = exp(slope2 * input);
        const bool first_dominates = T(power) > T(2);
        return {sum_or_dominant(T(-1.0 / (1.0 - power)) * first, T(1.0 / (2.0 - power)) * second, first_dominates),
                sum_or_dominant(-first, second, first_dominates),
                sum_or_dominant(-(slope1 * first), slope2 * second, first_dominates),
                T(-1.0 / (1.0 - power)) * exp(slope1 * input), T(0)};
    }
};

// TweedieLog at x = log(mean), L035: mean^(1-p) (mean / (2-p) - t / (1-p)).
struct TweedieIdentity {
    double power;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        // x^(1-p) as a square, whose root is multiplied twice: the product with x must not underflow on the way.
        const T root = losslib::power(input, T(0.5 * (1.0 - power)));
        const T ratio = select(target == T(0), T(0), target / input);
        // The bracket in units of a power of two, in which it neither overflows nor loses digits below the normal numbers.
        const T huge = T(sizeof(T) == 4 ? 1e30 : 1e300), tiny = T(1) / huge, unit = T(0x1p40);
        const bool above = (input > huge) | (target > huge), below = (input < tiny) & (target < tiny);
        const T down = select(above, T(1) / unit, select(below, unit, T(1)));
        const T up = select(above, unit, select(below, T(1) / unit, T(1)));
        const T bracket = T(1.0 / (2.0 - power)) * (input * down) - T(1.0 / (1.0 - power)) * (target * down);
        const T value = select(bracket == T(0), T(0), ((bracket * root) * up) * root);
        const T infinity = std::numeric_limits<T>::infinity();
        const T limit = power < 2.0 ? infinity : T(0);  // of x^(2-p) for an infinite mean
        return {select((input == infinity) & (target < infinity), limit, value), (root * (T(1) - ratio)) * root,
                losslib::power(input, T(-power)) * (T(1.0 - power) + T(power) * ratio),
                T(-1.0 / (1.0 - power)) * (root * root), T(0)};
    }
};

// (exp(x) - t)^2 / 2: Tweedie of power 0 (normal) with the logarithm of its mean.
struct HalfSquaredErrorLog {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T mean = exp(input);
        const T d = mean - target;
        return {T(0.5) * d * d, mean * d, mean * (mean + d), -d, T(1)};
    }
};

// |d| / s + log s [+ log 2 if full], s = max(scale, eps). Slope 0 at d = 0; the floor as in Gaussian.
struct Laplace {
    double eps, full;
    static constexpr int partner = 3;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target, T scale) const {
        const T s = maximum(T(eps), scale);
        const T d = input - target;
        const T inverse = T(1) / s;
        const T size = abs(d) * inverse;
        const T slope = sign(d) * inverse;
        return {size + log(s) + T(full * LOG_2),         slope, T(0), -slope, T(0), inverse * (T(1) - size),
                inverse * inverse * (T(2) * size - T(1))};
    }
};

// (df + 1)/2 log1p(d^2 / (df scale^2)) + log(scale) + constant: a Cauchy loss in other units. df is held where the
// normal distribution has been reached, so that it stays in the range of T and its inverse does not underflow.
struct StudentT {
    double df, scale, constant;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const double freedom = std::fmin(df, std::is_same_v<T, float> ? 1e20 : 1e100);
        const JetOfDifference<T> jet =
            jet_of_log1p_square(input - target, scale * std::sqrt(freedom), 0.5 * (freedom + 1.0));
        return jet_of_difference(jet.value + T(std::log(scale) + constant), jet.grad, jet.hess);
    }
};

// log(Gamma(r + t) / (Gamma(r) r^t)), t >= 0. For large r the difference of the Stirling series, in which the
// terms of size r log r are gone, so that it tends to 0 with 1/r (the Poisson limit).
template <class T> LOSSLIB_INLINE T log_rising(double r, T t) {
    const T start = T(r), end = start + t;
    const T series = (end - T(0.5)) * log1p(t * T(1.0 / r)) - t + (stirling_tail(end) - stirling_tail(start));
    return select(start >= T(8), series, log_gamma(end) - log_gamma(start) - t * T(std::log(r)));
}

// log(t!) - log(Gamma(t + 1/a) / Gamma(1/a)) - t log a: what the Full variants of the negative binomial add.
template <class T> LOSSLIB_INLINE T negative_binomial_constant(double dispersion, T target) {
    return log_gamma(target + T(1)) - log_rising(1.0 / dispersion, target);
}

// t log(t / mean) - t + mean, given (mean - t) / mean, which knows more of the difference than the two numbers do.
template <class T> LOSSLIB_INLINE T poisson_deviance(T t, T mean, T slope) {
    const QuotientLog<T> r = log_of_quotient(t, mean, slope);
    return select(is_small_difference(slope), mean * r.divergence, t * r.log + (mean - t));
}

// log(Gamma(r + 1)) less its Stirling formula without the tail. It depends on parameters alone, and without a branch it
// leaves the loop over the elements.
LOSSLIB_INLINE double stirling_error(double r) {
    const double low = minimum(r, 8.0);
    const double difference = log_gamma(low + 1.0) - ((low + 0.5) * log(low) - low + HALF_LOG_2PI);
    return select(r >= 8.0, stirling_tail(r), difference);
}

// A negative binomial loss and its constant, for large t as the sum of two deviances (Loader's saddle point: the
// probability is that of r = 1/a out of r + t trials, times r / (r + t)), in which nothing of the size t log(t) cancels.
// `beside` is what the loss has on top of the likelihood.
template <class T>
LOSSLIB_INLINE Jet<T> with_constant(const Jet<T>& jet, double dispersion, T target, T mean, T beside) {
    const double trials = minimum(1.0 / dispersion, sizeof(T) == 4 ? 1e30 : 1e300);  // fmin: no vectors
    const T r = T(trials), all = r + target, share = all / (r + mean), distance = mean - target;
    const T deviances = poisson_deviance(r, r * share, -distance / all) +
                        poisson_deviance(target, mean * share, (r / all) * (distance / mean));
    const T half_log = T(0.5) * (log(target) + log1p(target * T(1.0 / trials))) + T(HALF_LOG_2PI);
    const T value = deviances + (half_log + ((T(stirling_error(trials)) - stirling_tail(all)) + stirling_tail(target)));
    const bool applies = (target >= T(8)) & (mean > T(0)) & (mean < std::numeric_limits<T>::infinity());
    return {select(applies, value + beside, jet.value + negative_binomial_constant(dispersion, target)), jet.grad,
            jet.hess};
}

// (t + 1/a) softplus(z) - t x, z = x + log a: negative binomial of variance mean + a mean^2 with the
// logarithm of its mean. With w = exp(-|z|), taken as a exp(x) or exp(-x) / a, softplus(z) / a keeps its
// relative accuracy for small a and becomes exp(x), the Poisson loss.
struct NegativeBinomialLog {
    double dispersion;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T inverse = T(1.0 / dispersion), log_dispersion = T(std::log(dispersion));
        const bool low = input <= -log_dispersion;
        const T w = select(low, T(dispersion), inverse) * exp(select(low, input, -input));
        const T tail = log1p(w);
        const T softplus_z = tail + select(low, T(0), input + log_dispersion);
        const T gap = tail + select(low, -input, log_dispersion);  // softplus(z) - x
        const T unit = T(1) / (T(1) + w);
        const T sigma = select(low, w, T(1)) * unit, sigma_neg = select(low, T(1), w) * unit;
        return {product_or_zero(target, gap) + inverse * softplus_z, inverse * sigma - target * sigma_neg,
                (target * sigma + inverse * sigma) * sigma_neg, gap, T(0)};
    }
};

// NegativeBinomialLog with the terms of the target alone; not differentiated with respect to the target.
struct NegativeBinomialLogFull {
    double dispersion;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const bool low = input <= -T(std::log(dispersion));
        const T part = exp(select(low, input, -input));  // the exponential of the loss itself: one, not two
        const T mean = select(low, part, T(1) / part);
        return with_constant(NegativeBinomialLog{dispersion}.at(input, target), dispersion, target, mean, T(0));
    }
};

// (t + 1/a) log1p(a x) - t log(x + eps): negative binomial with its mean. Of the two logarithms that t multiplies, both
// large at a large mean and nearly alike if a is near 1, the one of the quotient is taken, by its distance from 1 where it
// is near. The parts of the slope, (1 + a t) / (1 + a x) and t / (x + eps), have one denominator here, so that they do not
// cancel; of those of the curvature, t / (x + eps)^2 and a (1 + a t) / (1 + a x)^2, the common a^2 t x^2 is gone:
//   (t (1 + 2 a x) - a x^2 - a (1 + a t) eps (2 x + eps)) / ((x + eps) (1 + a x))^2.
struct NegativeBinomialIdentity {
    double dispersion, eps;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T a = T(dispersion);
        const T shifted = input + T(eps);
        const T logarithm = log1p(a * input);
        const T inverse = T(1) / (T(1) + a * input), inverse_shifted = T(1) / shifted;
        const T weight = T(1) + a * target;
        const T slope = ((input - target) + T(eps) * weight) * inverse * inverse_shifted;
        const bool absent = target == T(0);
        const T share = select(input == T(0), T(0), select(inverse_shifted == T(0), T(1), input * inverse_shifted));
        const T excess = T(1.0 - eps) * inverse_shifted + T(dispersion - 1.0) * share;  // of the quotient over 1
        const bool near = abs(excess) < T(0.5);
        const T gap = log1p_or_log(select(near, excess, inverse_shifted + a * share), !near);
        const T curvature = target * inverse_shifted * inverse_shifted * inverse * (T(2) - inverse) -
                            a * square(share * inverse) -
                            (T(dispersion * eps) * weight * inverse * inverse_shifted) * inverse * (share + T(1));
        return {product_or_zero(target, gap) + T(1.0 / dispersion) * logarithm,
                select(absent, inverse, select(inverse == T(0), T(0), slope)),  // 0 at an infinite mean
                select(absent, -a * inverse * inverse, curvature), gap, T(0)};
    }
};

// NegativeBinomialIdentity with the terms of the target alone; not differentiated with respect to the target.
struct NegativeBinomialIdentityFull {
    double dispersion, eps;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const Jet<T> jet = NegativeBinomialIdentity{dispersion, eps}.at(input, target);
        return with_constant(jet, dispersion, target, input, -target * log1p(T(eps) / input));
    }
};

// t (log t - x), L084: x the log of the predicted, t the true probability. 0 at t = 0, where the partial for
// t is -inf, whatever x is.
struct KLDivergence {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T log_target = log(target);
        const bool absent = target == T(0);
        return {product_or_zero(target, log_target - input),
                select(absent, -target, select(input == input, -target, input)), T(0),
                log_target + select(absent, T(0), T(1) - input), T(1) / target};
    }
};

// exp(t) (t - x), L085: both in logarithms. 0 at t = -inf. Products are finite wherever they are, also where exp(t) is not.
struct KLDivergenceLogTarget {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const SplitExp<T> p = split_exp(target);
        const T slope = -(p.part * p.factor), difference = target - input;
        const bool absent = p.part == T(0);
        return {product_or_zero(p.part, difference) * p.factor,
                select(absent, slope, select(input == input, slope, input)), T(0),
                product_or_zero(p.part, difference + T(1)) * p.factor,
                product_or_zero(p.part, difference + T(2)) * p.factor};
    }
};

// t log(t / x) - t + x, L087 (scipy.special.kl_div(t, x)): x the predicted, t the true measure. x at t = 0.
struct GeneralizedKL {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T d = input - target, slope = d / input;
        const QuotientLog<T> r = log_of_quotient(target, input, slope);
        const bool absent = target == T(0);
        const T value = select(is_small_difference(slope), input * r.divergence, target * r.log + d);
        const bool negligible = (absent & (input == input)) | (d == input);  // also at an infinite input
        return {select(absent, input, value), select(negligible, T(1), slope),
                product_or_zero(target, T(1) / input) / select(input == T(0), T(1), input), r.log, T(1) / target};
    }
};

}  // namespace losslib
