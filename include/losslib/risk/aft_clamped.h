// Accelerated failure times as XGBoost computes them (src/common/survival_util.h and probability_distribution.h of
// XGBoost 3): quotients of densities and differences of distribution functions, floors and limits included.
#pragma once

#include <cmath>

#include "losslib/risk/aft.h"

namespace losslib {

constexpr double least_likelihood = 1e-12, largest_slope = 15.0, least_curvature = 1e-16, largest_curvature = 15.0;

// Density, its two derivatives and the distribution function at one place.
struct Density {
    double value, slope, curvature, below;
};

// What a quotient without a value stands for, far from the bounds: right and left of them.
struct Limits {
    double slope_right, slope_left, curvature_right, curvature_left;
};

struct ClampedNormal {
    static Density at(double z) {
        const double f = std::exp(-0.5 * z * z - half_log_two_pi);
        return {f, -z * f, (z * z - 1.0) * f, 0.5 * (1.0 + std::erf(z * 0.70710678118654752440))};
    }
    static Limits limits(double scale) {
        const double curvature = 1.0 / (scale * scale);
        return {-largest_slope, largest_slope, curvature, curvature};
    }
};

struct ClampedLogistic {
    static Density at(double z) {
        const double w = std::exp(z), e = std::exp(-std::fabs(z));
        const bool vanished = std::isinf(w) || std::isinf(w * w);
        const double f = vanished ? 0.0 : e / ((1.0 + e) * (1.0 + e));
        return {f, vanished ? 0.0 : f * (1.0 - w) / (1.0 + w),
                vanished ? 0.0 : f * (w * w - 4.0 * w + 1.0) / ((1.0 + w) * (1.0 + w)),
                std::isinf(w) ? 1.0 : w / (1.0 + w)};
    }
    static Limits limits(double scale) { return {-1.0 / scale, 1.0 / scale, least_curvature, least_curvature}; }
};

struct ClampedExtreme {
    static Density at(double z) {
        const double w = std::exp(z), f = std::isinf(w) ? 0.0 : w * std::exp(-w);
        return {f, std::isinf(w) ? 0.0 : (1.0 - w) * f,
                std::isinf(w) || std::isinf(w * w) ? 0.0 : (w * w - 3.0 * w + 1.0) * f, 1.0 - std::exp(-w)};
    }
    static Limits limits(double scale) { return {-largest_slope, 1.0 / scale, largest_curvature, least_curvature}; }
};

// The quotient, the limit where it has no value over a denominator that vanishes, and the clip of both.
inline double clamped_quotient(double numerator, double denominator, double limit, double least, double most) {
    double quotient = numerator / denominator;
    if (denominator < least_likelihood && !std::isfinite(quotient)) quotient = limit;
    return std::fmax(least, std::fmin(most, quotient));
}

template <class Error> inline Term aft_term_clamped(double prediction, const Bounds& bounds, double scale) {
    const double infinity = std::numeric_limits<double>::infinity();
    if (prediction != prediction || bounds.low != bounds.low || bounds.high != bounds.high) {
        return aft_term<NormalError>(prediction, bounds, scale);
    }
    const bool right = bounds.high == infinity, left = bounds.low == -infinity;
    const double l = left ? 0.0 : (bounds.low - prediction) / scale;
    const double u = right ? 0.0 : (bounds.high - prediction) / scale;
    const bool beyond = l > 0.0 || u > 0.0;
    const Limits limits = Error::limits(scale);
    // The side on which the censored time satisfies its bound has no slope.
    double slope_limit = beyond ? limits.slope_right : limits.slope_left;
    double curvature_limit = beyond ? limits.curvature_right : limits.curvature_left;
    if ((right && !beyond) || (left && beyond)) {
        slope_limit = 0.0;
        curvature_limit = least_curvature;
    }
    double likelihood, top, bottom, top_second, bottom_second;
    if (bounds.exact) {
        const Density at = Error::at(l);
        likelihood = at.value / (scale * std::exp(bounds.low));
        top = at.slope;
        bottom = scale * at.value;
        top_second = -(at.value * at.curvature - at.slope * at.slope);
        bottom_second = scale * scale * (at.value * at.value);
    } else {
        const Density high = right ? Density{0.0, 0.0, 0.0, 1.0} : Error::at(u);
        const Density low = left ? Density{0.0, 0.0, 0.0, 0.0} : Error::at(l);
        const double f = high.value - low.value;
        likelihood = high.below - low.below;
        top = f;
        bottom = scale * likelihood;
        top_second = -(likelihood * (high.slope - low.slope) - f * f);
        bottom_second = bottom * bottom;
    }
    return {-std::log(std::fmax(likelihood, least_likelihood)),
            clamped_quotient(top, bottom, slope_limit, -largest_slope, largest_slope),
            clamped_quotient(top_second, bottom_second, curvature_limit, least_curvature, largest_curvature)};
}

}  // namespace losslib
