// Accelerated failure times: log(time) = prediction + scale * error, the time known to lie between two bounds.
//
// With z = (log(time) - prediction)/scale the likelihood is f(z)/(scale * time) of a known time and F(u) - F(l) of one
// between bounds, F = 1 above any and 0 below any. Derivatives are by the prediction: -1/scale of those by z.
#pragma once

#include <cmath>
#include <limits>

#include "losslib/risk/hazard.h"
#include "losslib/risk/jet.h"
#include "losslib/risk/normal_tail.h"

namespace losslib {

// Each distribution: minus the logarithm of the density, and of the probability to lie right of l, left of u, and
// between them, h = u - l apart; each with its two derivatives by a shift of the bounds.
struct NormalError {
    static Term density(double z) { return {0.5 * z * z + half_log_two_pi, z, 1.0}; }
    static Term right_of(double l) {
        const NormalTail tail = normal_tail(l);
        return {tail.minus_log, tail.hazard, std::isinf(l) ? (l > 0.0 ? 1.0 : 0.0) : tail.hazard * tail.excess};
    }
    static Term left_of(double u) {
        const Term mirrored = right_of(-u);
        return {mirrored.value, -mirrored.slope, mirrored.curvature};
    }
    static Term between(double l, double u, double h) {
        if (std::isinf(l)) return {std::numeric_limits<double>::infinity(), l, 1.0};
        const NormalPiece piece = normal_piece(l, u, h);
        return {piece.minus_log, piece.mean, piece.lost_variance};
    }
};

struct LogisticError {
    static Term density(double z) {
        const Term s = softplus_term(-std::fabs(z));
        return {std::fabs(z) + 2.0 * s.value, std::tanh(0.5 * z), 2.0 * s.curvature};
    }
    static Term right_of(double l) { return softplus_term(l); }
    static Term left_of(double u) {
        const Term mirrored = softplus_term(-u);
        return {mirrored.value, -mirrored.slope, mirrored.curvature};
    }
    // F(u) - F(l) = sigmoid(u) sigmoid(-l) (1 - exp(-h)): a shift leaves the last factor alone.
    static Term between(double l, double u, double h) {
        const Term right = right_of(l), left = left_of(u);
        return {right.value + left.value - std::log(-std::expm1(-h)), right.slope + left.slope,
                right.curvature + left.curvature};
    }
};

// The logarithm of a Weibull time: F(z) = 1 - exp(-exp(z)).
struct ExtremeError {
    static Term density(double z) {
        const double e = std::exp(z);
        return {std::isinf(e) ? e : e - z, std::expm1(z), e};
    }
    static Term right_of(double l) {
        const double e = std::exp(l);
        return {e, e, e};
    }
    static Term left_of(double u) { return within(0.0, std::exp(u), u); }
    static Term between(double l, double, double h) {
        const double start = std::exp(l);
        return within(start, start * std::expm1(h), l + h + std::log(-std::expm1(-h)));
    }
    // exp(-start) - exp(-start - w), start and w moving as exp(z). With c = w/(exp(w) - 1) the derivatives of
    // -log(1 - exp(-w)) are -c and c (w/(1 - exp(-w)) - 1); beyond 700 both are 0, and where w underflows its logarithm
    // is all that matters.
    static Term within(double start, double w, double log_w) {
        if (w > 700.0) return {start, start, start};
        if (w < 1e-290) return {start - log_w, start - 1.0, start + 0.5 * w};
        const double c = w / std::expm1(w), lost = -std::expm1(-w);
        return {start - std::log(lost), start - c, start + c * (exponential_gap(w) * (w / lost))};
    }
};

// What is known of one time, in logarithms: the bounds; h is their distance. Without a bound: -inf and inf.
struct Bounds {
    double low, high, distance;
    bool exact;
};

inline Bounds read_bounds(double lower, double upper) {
    const double infinity = std::numeric_limits<double>::infinity();
    if (lower == upper) return {std::log(lower), std::log(upper), 0.0, true};
    const double low = lower > 0.0 ? std::log(lower) : lower <= 0.0 ? -infinity : lower;
    const double high = upper < infinity ? std::log(upper) : upper;
    return {low, high, low > -infinity && high < infinity ? std::log1p((upper - lower) / lower) : infinity, false};
}

template <class Error> inline Term aft_term(double prediction, const Bounds& bounds, double scale) {
    const double infinity = std::numeric_limits<double>::infinity();
    const double l = (bounds.low - prediction) / scale, u = (bounds.high - prediction) / scale;
    Term term;
    if (prediction != prediction || bounds.low != bounds.low || bounds.high != bounds.high) {
        const double nan = prediction + bounds.low + bounds.high;
        return {nan, nan, nan};
    }
    if (bounds.exact) {
        term = Error::density(l);
        term.value += std::log(scale) + bounds.low;
    } else if (bounds.low == -infinity && bounds.high == infinity) {
        return {0.0, 0.0, 0.0};
    } else if (bounds.high == infinity) {
        term = Error::right_of(l);
    } else if (bounds.low == -infinity) {
        term = Error::left_of(u);
    } else {
        term = Error::between(l, u, bounds.distance / scale);
    }
    return {term.value, -term.slope / scale, term.curvature / (scale * scale)};
}

}  // namespace losslib
