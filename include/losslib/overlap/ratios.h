// Scalar mathematics of the overlap losses: a ratio of counts, and its derivatives by the counts.
//
// The counts of a region are sums over positions of the prediction p and the target t:
//     common I = sum p t,   false positive FP = sum p (1 - t),   false negative FN = sum (1 - p) t,
// and TN, what is neither. Every ratio is written as the share that is wrong, never as 1 - score, which would lose the
// digits of a nearly perfect prediction. 0/0, where there is nothing to find and nothing was found, is perfect: 0.
#pragma once

#include <cmath>

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

struct Counts {
    double common, false_positive, false_negative, true_negative, positions;
};

// The value of a ratio and its derivatives by the counts.
struct RatioJet {
    double value = 0, by_common = 0, by_false_positive = 0, by_false_negative = 0, by_true_negative = 0;

    LOSSLIB_INLINE RatioJet times(double factor) const {
        return {value, factor * by_common, factor * by_false_positive, factor * by_false_negative,
                factor * by_true_negative};
    }
};

// wrong/(right + wrong), where `right` grows by `per_common` with the common part and `wrong` by alpha and beta with the
// false positives and negatives.
LOSSLIB_INLINE RatioJet wrong_share(double right, double wrong, double per_common, double alpha, double beta) {
    const double whole = right + wrong;
    if (whole == 0) return {};
    const double by_wrong = right / whole / whole, by_right = -(wrong / whole) / whole;
    return {wrong / whole, per_common * by_right, alpha * by_wrong, beta * by_wrong, 0};
}

// Dice: 1 - (2 I + smooth)/(P + T + smooth + eps).
struct DiceRatio {
    double smooth, eps;
    DiceRatio(const double* p) : smooth(p[0]), eps(p[1]) {}
    LOSSLIB_INLINE RatioJet at(const Counts& n) const {
        return wrong_share(2 * n.common + smooth, n.false_positive + n.false_negative + eps, 2, 1, 1);
    }
};

// Jaccard: 1 - (I + smooth)/(P + T - I + smooth + eps).
struct JaccardRatio {
    double smooth, eps;
    JaccardRatio(const double* p) : smooth(p[0]), eps(p[1]) {}
    LOSSLIB_INLINE RatioJet at(const Counts& n) const {
        return wrong_share(n.common + smooth, n.false_positive + n.false_negative + eps, 1, 1, 1);
    }
};

// Tversky: 1 - (I + smooth)/(I + alpha FP + beta FN + smooth + eps).
struct TverskyRatio {
    double smooth, eps, alpha, beta;
    TverskyRatio(const double* p) : smooth(p[0]), eps(p[1]), alpha(p[2]), beta(p[3]) {}
    LOSSLIB_INLINE RatioJet at(const Counts& n) const {
        return wrong_share(n.common + smooth, alpha * n.false_positive + beta * n.false_negative + eps, 1, alpha, beta);
    }
};

// 1 - the correlation coefficient of Matthews; `smooth` is added to each of the four counts.
struct MatthewsRatio {
    double smooth, eps;
    MatthewsRatio(const double* p) : smooth(p[0]), eps(p[1]) {}
    LOSSLIB_INLINE RatioJet at(const Counts& n) const {
        const double tp = n.common + smooth, fp = n.false_positive + smooth;
        const double fn = n.false_negative + smooth, tn = n.true_negative + smooth;
        if (n.false_positive == 0 && n.false_negative == 0) return {};
        const double found = tp + fp, present = tp + fn, absent = tn + fp, rest = tn + fn;
        const double product = (found * present) * (absent * rest);
        const double root = std::sqrt(product + eps);
        if (root == 0) return {1, 0, 0, 0, 0};
        const double score = (tp * tn - fp * fn) / root;
        // d score = d(numerator)/root - score/2 d(product)/(product + eps), with d(product)/product by sums of 1/factor
        const double half = -0.5 * score / (product + eps);
        const double by_found = half * present * absent * rest, by_present = half * found * absent * rest;
        const double by_absent = half * found * present * rest, by_rest = half * found * present * absent;
        return {1 - score, -(tn / root + by_found + by_present), -(-fn / root + by_found + by_absent),
                -(-fp / root + by_present + by_rest), -(tp / root + by_absent + by_rest)};
    }
};

// The mean of what is counted as common, or with `of_errors` as false positive, over the positions.
struct MeanRatio {
    double of_errors;
    MeanRatio(const double* p) : of_errors(p[0]) {}
    LOSSLIB_INLINE RatioJet at(const Counts& n) const {
        if (n.positions == 0) return {};
        if (of_errors != 0) return {n.false_positive / n.positions, 0, 1 / n.positions, 0, 0};
        return {n.common / n.positions, 1 / n.positions, 0, 0, 0};
    }
};

// ---- what is made of a ratio ---------------------------------------------------------------------------------------

// -log max(score, 1e-7) from wrong = 1 - score; constant below.
LOSSLIB_INLINE RatioJet logarithm_of(const RatioJet& wrong) {
    const double score = 1 - wrong.value;
    if (!(score >= 1e-7)) {
        RatioJet held = wrong.times(0 * wrong.value);
        held.value = -std::log(1e-7) + 0 * wrong.value;
        return held;
    }
    RatioJet result = wrong.times(1 / score);
    result.value = -std::log1p(-wrong.value);
    return result;
}

// wrong^gamma; at 0 the derivative 0 is taken.
LOSSLIB_INLINE RatioJet power_of_ratio(const RatioJet& wrong, double gamma) {
    if (gamma == 1) return wrong;
    RatioJet result = wrong.times(wrong.value == 0 ? 0 : gamma * std::pow(wrong.value, gamma - 1));
    result.value = std::pow(wrong.value, gamma);
    return result;
}

LOSSLIB_INLINE RatioJet log_cosh_of(const RatioJet& wrong) {
    const LogCosh<double> curve = log_cosh(wrong.value);
    RatioJet result = wrong.times(curve.tanh);
    result.value = curve.value;
    return result;
}

}  // namespace losslib
