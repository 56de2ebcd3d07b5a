// Binary and multi-label losses of a probability, of a logit or score x, or of the margin t x, t = -1 or 1.
//
// Both tails of the sigmoid come from `logistic`, both log-probabilities are softplus; a term whose
// coefficient is exactly 0 is skipped, so that x = +-inf with the right label costs nothing (0 * inf). Losses
// on probabilities have PyTorch's clamps: logarithms at -100, denominators of the derivatives at 1e-12.
#pragma once

#include "losslib/core/exponent.h"
#include "losslib/core/inline.h"
#include "losslib/core/jet.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

constexpr double LOG_FLOOR = -100.0;
constexpr double PROBABILITY_FLOOR = 1e-12f;  // as PyTorch has it, rounded to float for double inputs too

// 1 where a > 0, 0 elsewhere: the slope of max(0, a) that is 0 at the tie. NaN stays.
template <class T> LOSSLIB_INLINE T positive_step(T a) { return select(a > T(0), T(1), select(a <= T(0), T(0), a)); }

// 1 where a >= 0: the slope at which PyTorch's clamp_min lets the gradient through. NaN stays.
template <class T> LOSSLIB_INLINE T nonnegative_step(T a) { return select(a >= T(0), T(1), select(a < T(0), T(0), a)); }

// t (1 - s) + s / 2, Keras's label smoothing.
template <class T> LOSSLIB_INLINE T smooth_label(T target, double smoothing) {
    return target * T(1.0 - smoothing) + T(0.5 * smoothing);
}

// The two sides of the cross entropy of a probability: -log p and -log(1 - p), clamped.
template <class T> struct NegativeLogs {
    T positive, negative;
};

template <class T> LOSSLIB_INLINE NegativeLogs<T> negative_logs(T p) {
    return {-maximum(T(LOG_FLOOR), log(p)), -maximum(T(LOG_FLOOR), log1p(-p))};
}

// (1 - t) a + t b, with the coefficient-0 rule.
template <class T> LOSSLIB_INLINE T mix(T target, T at_zero, T at_one) {
    return product_or_zero(T(1) - target, at_zero) + product_or_zero(target, at_one);
}

// -(t' log p + (1 - t') log(1 - p)), L038. PyTorch's gradient (p - t') / max(p (1 - p), 1e-12).
struct BinaryCrossEntropy {
    double label_smoothing;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T t = smooth_label(target, label_smoothing), rest = T(1) - input;
        const NegativeLogs<T> side = negative_logs(input);
        const T floor = T(PROBABILITY_FLOOR);
        return {(T(1) - t) * side.negative + t * side.positive, (input - t) / maximum(floor, rest * input),
                t / square(maximum(floor, input)) + (T(1) - t) / square(maximum(floor, rest)),
                T(1.0 - label_smoothing) * (side.positive - side.negative), T(0)};
    }
};

// (1 - t) softplus(x) + t softplus(-x): |x| counts as far as the label is against its sign, the bends add up to one.
template <class T> LOSSLIB_INLINE T logit_cross_entropy(T x, T target, const Logistic<T>& c) {
    return product_or_zero(select(x > T(0), T(1) - target, target), abs(x)) + c.bend;
}

// (1 - t') softplus(x) + t' softplus(-x), L039.
struct BinaryCrossEntropyLogits {
    double label_smoothing;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T t = smooth_label(target, label_smoothing);
        const Logistic<T> c = logistic(input);
        return {logit_cross_entropy(input, t, c), (T(1) - t) * c.sigma - t * c.sigma_neg, c.sigma * c.sigma_neg,
                T(label_smoothing - 1.0) * input, T(0)};
    }
};

// (1 - t') softplus(x) + w t' softplus(-x), L039: the third input is the weight of the positive class.
struct BinaryCrossEntropyLogitsPosWeight {
    double label_smoothing;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target, T pos_weight) const {
        const T t = smooth_label(target, label_smoothing), weighted = pos_weight * t;
        const Logistic<T> c = logistic(input);
        return {product_or_zero(T(1) - t, c.softplus) + product_or_zero(weighted, c.softplus_neg),
                (T(1) - t) * c.sigma - weighted * c.sigma_neg, ((T(1) - t) + weighted) * c.sigma * c.sigma_neg,
                T(1.0 - label_smoothing) * (product_or_zero(pos_weight, c.softplus_neg) - c.softplus), T(0)};
    }
};

// -(positive t log p + negative (1 - t) log(1 - p)) with the clamps of BinaryCrossEntropy, which it equals
// for weights 1. With equal weights the gradient is weight (p - t): in that form soft targets do not cancel.
struct WeightedBinaryCrossEntropy {
    double positive, negative;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T rest = T(1) - input, on = T(positive) * target, off = T(negative) * (T(1) - target);
        const NegativeLogs<T> side = negative_logs(input);
        const T floor = T(PROBABILITY_FLOOR);
        const T numerator = select(T(positive) == T(negative), T(positive) * (input - target), off * input - on * rest);
        return {off * side.negative + on * side.positive, numerator / maximum(floor, rest * input),
                on / square(maximum(floor, input)) + off / square(maximum(floor, rest)),
                T(positive) * side.positive - T(negative) * side.negative, T(0)};
    }
};

// alpha_t q^gamma B, L045 on probabilities: B the binary cross entropy with its clamps,
// q = p (1 - t') + (1 - p) t' the probability of the wrong answer, alpha_t = alpha t' + (1 - alpha)(1 - t')
// or 1 for alpha < 0. B / q stays near 1 for q -> 0, so the derivatives are written with q^gamma B / q,
// q floored at 1e-12: finite for every gamma >= 0.
template <class Exponent> struct BinaryFocalWith {
    double alpha, gamma, label_smoothing;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const Jet<T> ce = BinaryCrossEntropy{label_smoothing}.at(input, target);
        const T t = smooth_label(target, label_smoothing), other = T(1) - t;
        const T q = input * other + (T(1) - input) * t, q_slope = other - t;
        const T balance = select(T(alpha) < T(0), T(1), T(alpha) * t + T(1.0 - alpha) * other);
        const T weight = balance * Exponent::power(q, gamma);
        const T relative = q_slope / maximum(T(PROBABILITY_FLOOR), q);  // q'/q
        const T pull = T(gamma) * (ce.value * relative);
        return {weight * ce.value, weight * (ce.grad + pull),
                weight * (ce.hess + relative * (T(2.0 * gamma) * ce.grad + T(gamma - 1.0) * pull))};
    }
};
using BinaryFocal = BinaryFocalWith<AnyExponent>;
using BinaryFocalWhole = BinaryFocalWith<WholeExponent>;

// a q^gamma CE, L045 (torchvision): CE the cross entropy of the logit,
// q = 1 - p_t = sigma(x) (1 - t) + sigma(-x) t, a = alpha t + (1 - alpha)(1 - t) or 1 for alpha < 0.
// r = q'/q is exact for t = 0 and 1; r' = r (1 - 2 sigma) - r^2. gamma = 0 is BinaryCrossEntropyLogits.
template <class Exponent> struct SigmoidFocalWith {
    double alpha, gamma;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const Logistic<T> c = logistic(input);
        const T other = T(1) - target, spread = c.sigma * c.sigma_neg;
        const T ce = logit_cross_entropy(input, target, c);
        const T ce_slope = other * c.sigma - target * c.sigma_neg;
        const T q = c.sigma * other + c.sigma_neg * target;
        const T soft = spread * (other - target) / q;
        const T r = select(target == T(1), -c.sigma, select(target == T(0), c.sigma_neg, soft));
        const T balance = select(T(alpha) < T(0), T(1), T(alpha) * target + T(1.0 - alpha) * other);
        const T weight = balance * Exponent::power(q, gamma);
        const T pull = T(gamma) * product_or_zero(r, ce);
        return {product_or_zero(weight, ce), weight * (ce_slope + pull),
                weight *
                    (spread + T(2.0 * gamma) * ce_slope * r + pull * (T(gamma - 1.0) * r + (c.sigma_neg - c.sigma)))};
    }
};
using SigmoidFocal = SigmoidFocalWith<AnyExponent>;
using SigmoidFocalWhole = SigmoidFocalWith<WholeExponent>;

// |t - sigma|^beta times the cross-entropy with the quality t of a box (Li et al. 2020).
struct QualityFocal {
    double beta;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const Logistic<T> c = logistic(input);
        const T spread = c.sigma * c.sigma_neg, difference = c.sigma - target, size = abs(difference);
        const T ce = logit_cross_entropy(input, target, c);
        const bool met = size == T(0);
        const T weight = power(size, T(beta));
        // beta |d|^(beta - 1) and its derivative; 0 where prediction and quality are equal
        const T slope = select(met, T(0), T(beta) * power(size, T(beta - 1)) * sign(difference));
        const T bend = select(met, T(0), T(beta * (beta - 1)) * power(size, T(beta - 2)));
        const T by_input = slope * spread;
        const T second = bend * spread * spread + by_input * (c.sigma_neg - c.sigma);
        return {product_or_zero(weight, ce), weight * difference + product_or_zero(by_input, ce),
                weight * spread + T(2) * by_input * difference + product_or_zero(second, ce)};
    }
};

// The cross-entropy with the quality t times t, or for t = 0 a focal one (Zhang et al. 2021).
struct Varifocal {
    double alpha, gamma;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const Logistic<T> c = logistic(input);
        const T spread = c.sigma * c.sigma_neg;
        const T weight = T(alpha) * power(c.sigma, T(gamma));
        const T inner = T(gamma) * c.sigma_neg * c.softplus + c.sigma;  // of the derivative weight * inner
        const T bend = T(gamma) * c.sigma_neg * inner + T(gamma) * spread * (T(1) - c.softplus) + spread;
        const bool object = (target > T(0)) | (target != target);
        return {select(object, target * logit_cross_entropy(input, target, c), weight * c.softplus),
                select(object, target * (c.sigma - target), weight * inner),
                select(object, target * spread, weight * bend)};
    }
};

// Focal loss of a heat map: t = 1 at the peaks, and (1 - t)^gamma lowers what lies around them (Law and Deng 2018).
struct GaussianFocal {
    double alpha, gamma;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T eps = T(1e-12), other = T(1) - input;
        const bool peak = target == T(1);
        const T base = select(peak, other, input), rest = select(peak, input, other) + eps;
        const T scale = select(peak, T(1), power(T(1) - target, T(gamma)));
        const T weight = power(base, T(alpha)), turn = select(peak, T(-1), T(1));  // d(base)/d(input)
        const T slope = select(base == T(0), T(0), T(alpha) * power(base, T(alpha - 1)));
        const T logarithm = select(base < T(0.5), log1p(eps - base), log(rest));
        const T bend = select(base == T(0), T(0), T(alpha * (alpha - 1)) * power(base, T(alpha - 2)));
        return {-(scale * weight * logarithm), -(scale * turn * (slope * logarithm - weight / rest)),
                -(scale * (bend * logarithm - T(2) * slope / rest - weight / (rest * rest)))};
    }
};

// softplus(-t x), t = -1 or 1, L041.
struct SoftMargin {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const Logistic<T> c = logistic(target * input);
        const T spread = c.sigma * c.sigma_neg;
        return {c.softplus_neg, -(target * c.sigma_neg), target * target * spread, -product_or_zero(c.sigma_neg, input),
                product_or_zero(spread, input * input)};
    }
};

// max(0, margin - t x), L072; with margin 0 the perceptron's loss, L074. Slope 0 at the hinge.
struct Hinge {
    double margin;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T excess = T(margin) - target * input;
        const T active = positive_step(excess);
        return {maximum(T(0), excess), -(target * active), T(0), -product_or_zero(active, input), T(0)};
    }
};

// max(0, margin - t x)^2, L073. Curvature 0 at the hinge.
struct SquaredHinge {
    double margin;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T excess = maximum(T(0), T(margin) - target * input);
        const T active = positive_step(excess);
        return {excess * excess, T(-2) * target * excess, T(2) * target * target * active,
                T(-2) * product_or_zero(excess, input), T(2) * product_or_zero(active, input * input)};
    }
};

// t exp(-x) + (1 - t) exp(x), L042, t in [0, 1]; one exponential and its reciprocal.
struct Exponential {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const SplitExp<T> e = split_exp(abs(input));
        const T larger = e.part * e.factor, smaller = T(1) / e.part * e.inverse_factor;
        const T up = select(input < T(0), smaller, larger), down = select(input < T(0), larger, smaller);
        const T off = product_or_zero(T(1) - target, up), on = product_or_zero(target, down);
        return {off + on, off - on, off + on, down - up, T(0)};
    }
};

// With z = t x: -4 z for z < -1, (1 - z)^2 for -1 <= z < 1, 0 beyond, L043. Curvature 0 at z = 1.
struct ModifiedHuber {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T z = target * input;
        const T excess = maximum(T(0), T(1) - z);
        const bool linear = z < T(-1);
        const T slope = select(linear, T(-4), T(-2) * excess);
        const T curvature = select(linear, T(0), T(2) * positive_step(excess));
        return {select(linear, T(-4) * z, excess * excess), target * slope, target * target * curvature,
                product_or_zero(slope, input), product_or_zero(curvature, input * input)};
    }
};

// (1 - t) S(x) + t S(-x), L064, t in [0, 1]: S(x) = 0 for x <= -1, (x + 1)^2 / 4 between, x for x >= 1. The
// slope of S is (x + 1) / 2 held in [0, 1] and S its square until x = 1. Curvature 0 at |x| = 1.
struct BinarySparsemax {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T up = minimum(T(1), maximum(T(0), T(0.5) * input + T(0.5)));
        const T down = minimum(T(1), maximum(T(0), T(0.5) - T(0.5) * input));
        const T off = select(input >= T(1), input, up * up), on = select(input <= T(-1), -input, down * down);
        return {mix(target, off, on), (T(1) - target) * up - target * down, select(abs(input) < T(1), T(0.5), T(0)),
                -input, T(0)};
    }
};

// t A (1 - p)^gamma_pos + (1 - t) B p_m^gamma_neg, p = sigma(x), A = -log p, p_m = max(p - clip, 0),
// B = -log(1 - p_m): T. Ridnik et al., "Asymmetric Loss for Multi-Label Classification", ICCV 2021.
// A is softplus, and so is B where clip changes neither p nor 1 - p; elsewhere B = log1p(p_m / (1 - p_m))
// with 1 - p_m = sigma(-x) + clip, accurate for p_m near 0 and near 1. The slope at p = clip is 0.
template <class Exponent> struct AsymmetricLossWith {
    double gamma_neg, gamma_pos, clip;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const Logistic<T> c = logistic(input);
        const T spread = c.sigma * c.sigma_neg;

        const T modulation = Exponent::power(c.sigma_neg, gamma_pos);
        const T product = product_or_zero(c.sigma, c.softplus_neg);  // p A
        const T positive_slope = -(c.sigma_neg + T(gamma_pos) * product);
        const T positive_curvature = c.sigma * (c.sigma_neg * T(1.0 + gamma_pos) - T(gamma_pos) * positive_slope) -
                                     T(gamma_pos) * product * c.sigma_neg;

        const T gap = c.sigma - T(clip);
        const T shifted = T(0.5) * (gap + abs(gap));  // max(gap, 0): as a branch GCC merges it into `power`
        const T complement = minimum(T(1), c.sigma_neg + T(clip));
        const bool unclipped = (shifted == c.sigma) & (complement == c.sigma_neg);
        const T active = positive_step(shifted);
        const T slope = active * spread, bend = slope * (c.sigma_neg - c.sigma);  // p_m', p_m''
        const T ce = select(unclipped, c.softplus, log1p(shifted / complement));
        const T ce_slope = select(unclipped, c.sigma, slope / complement);
        // p_m''/s + (p_m'/s)^2 with s = complement, without the cancellation of its -1 and 1 for p near 1
        const T ce_bend = square(c.sigma_neg) + T(clip) * (c.sigma_neg - c.sigma);
        const T ce_curvature = select(unclipped, spread, slope / complement * (ce_bend / complement));
        const T divisor = shifted + (T(1) - active);  // at p_m = 0, where slope and bend are 0, it is 1
        const T relative = select(unclipped, c.sigma_neg, slope / divisor);  // p_m'/p_m
        const T quotient = ce / divisor;                                     // B / p_m
        const T factor = Exponent::power(shifted, gamma_neg);
        const T negative_slope = ce_slope + T(gamma_neg) * product_or_zero(slope, quotient);
        const T negative_curvature =
            ce_curvature + T(gamma_neg) * (T(2) * ce_slope * relative +
                                           product_or_zero(T(gamma_neg - 1.0) * slope * relative + bend, quotient));

        return {mix(target, product_or_zero(factor, ce), product_or_zero(modulation, c.softplus_neg)),
                mix(target, factor * negative_slope, modulation * positive_slope),
                mix(target, factor * negative_curvature, modulation * positive_curvature)};
    }
};
using AsymmetricLoss = AsymmetricLossWith<AnyExponent>;
using AsymmetricLossWhole = AsymmetricLossWith<WholeExponent>;

// x for t = 1, max(0, margin - x) for t = -1, the sum of both for any other t (as PyTorch), L082. The
// gradient flows at margin = x.
struct HingeEmbedding {
    double margin;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T excess = T(margin) - input;
        const T similar = select(target == T(-1), T(0), T(1)), dissimilar = select(target == T(1), T(0), T(1));
        const T label = select(target == target, T(0), target);  // NaN, or nothing
        const T value = select(similar == T(0), T(0), input) + select(dissimilar == T(0), T(0), maximum(T(0), excess));
        const T slope = similar - dissimilar * nonnegative_step(excess);
        return {value + label, slope + label, T(0)};
    }
};

// max(0, -t (x1 - x2) + margin), L081. The gradient flows at the tie. The target is the third input.
struct MarginRanking {
    double margin;
    static constexpr int partner = 2;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input1, T input2, T target) const {
        const T d = input1 - input2;
        const T excess = T(margin) - target * d;
        const T active = nonnegative_step(excess);
        const T slope = target * active;
        return {maximum(T(0), excess), -slope, T(0), slope, T(0), -product_or_zero(active, d), T(0)};
    }
};

}  // namespace losslib
