// What a pair of a list adds: value, slope and curvature by d, the score of the preferred item less that of the other.
// `gap` is the difference of their labels, which few look at.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

struct PairTerm {
    double value, slope, curvature;
};

// The difference of two scores: equal ones differ by 0, also where both are -inf.
LOSSLIB_INLINE double score_difference(double a, double b) { return select(a == b, 0.0, a - b); }

// The derivative of the sigmoid, which is even; exact to the last digits far out.
LOSSLIB_INLINE double logistic_slope(double z) {
    const double e = exp_nonpositive(-abs(z));
    const double larger = 1.0 / (1.0 + e);
    return e * larger * larger;
}

// softplus(-sigma d), Burges et al. 2005.
struct LogisticPair {
    double sigma;
    LOSSLIB_INLINE PairTerm at(double d, double) const {
        const Logistic<double> z = logistic(sigma * d);
        return {z.softplus_neg, -sigma * z.sigma_neg, sigma * sigma * z.sigma * z.sigma_neg};
    }
};

// The same with the second derivative of XGBoost's objectives: doubled, and sigmoid (1 - sigmoid) at least 1e-16.
struct DoubledPair {
    double sigma;
    LOSSLIB_INLINE PairTerm at(double d, double) const {
        const Logistic<double> z = logistic(sigma * d);
        const double bend = maximum(z.sigma * z.sigma_neg, 1e-16);
        return {z.softplus_neg, -sigma * z.sigma_neg, 2.0 * sigma * sigma * bend};
    }
};

// max(0, margin - d); at the margin the slope is 0.
struct HingePair {
    double margin;
    LOSSLIB_INLINE PairTerm at(double d, double) const {
        const double rest = margin - d;
        const bool inside = rest <= 0.0;
        return {select(inside, 0.0, rest), select(inside, 0.0, -1.0), 0.0};
    }
};

struct SquaredHingePair {
    double margin;
    LOSSLIB_INLINE PairTerm at(double d, double) const {
        const double rest = margin - d;
        const bool inside = rest <= 0.0;
        return {select(inside, 0.0, rest * rest), select(inside, 0.0, -2.0 * rest), select(inside, 0.0, 2.0)};
    }
};

// sigmoid(-sigma d), with p = sigmoid(sigma d): slope -sigma p (1 - p), curvature sigma^2 p (1 - p) (2 p - 1).
struct SoftZeroOnePair {
    double sigma;
    LOSSLIB_INLINE PairTerm at(double d, double) const {
        const Logistic<double> z = logistic(sigma * d);
        const double product = z.sigma * z.sigma_neg;
        return {z.sigma_neg, -sigma * product, sigma * sigma * product * (z.sigma - z.sigma_neg)};
    }
};

// (d - gap)^2.
struct SquaredErrorPair {
    double unused;
    LOSSLIB_INLINE PairTerm at(double d, double gap) const {
        const double rest = d - gap;
        return {rest * rest, 2.0 * rest, 2.0};
    }
};

// The pinball of gap - d: tau of it where the scores are too near, 1 - tau where they are too far; slope 0 at the kink.
struct PinballPair {
    double tau;
    LOSSLIB_INLINE PairTerm at(double d, double gap) const {
        const double rest = gap - d;
        const double factor = select(rest > 0.0, tau, select(rest < 0.0, tau - 1.0, 0.0 * rest));
        return {factor * rest, -factor, 0.0};
    }
};

// |tau - [rest < 0]| rest^2.
struct SquaredPinballPair {
    double tau;
    LOSSLIB_INLINE PairTerm at(double d, double gap) const {
        const double rest = gap - d;
        const double factor = select(rest < 0.0, 1.0 - tau, tau);
        return {factor * rest * rest, -2.0 * factor * rest, 2.0 * factor};
    }
};

}  // namespace losslib
