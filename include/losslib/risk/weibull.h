// A Weibull time with the logarithms of scale and shape as predictions.
#pragma once

#include <cmath>

#include "losslib/core/select.h"
#include "losslib/risk/jet.h"

namespace losslib {

struct WeibullTerms {
    double value;
    double scale_slope, scale_curvature, shape_slope, shape_curvature;
};

// With u = log(time) - log_scale, k = exp(log_shape) and v = k u the value is exp(v) - event (log_shape - log_scale +
// (k - 1) u); exp(v) is the cumulative hazard, which decides wherever both are infinite. Time 0 or scale inf, u = -inf:
// products with exp(v) = 0 are 0, and v = 0 at u = 0 whatever k is.
inline WeibullTerms weibull_terms(double log_scale, double log_shape, double log_time, double event) {
    const double k = std::exp(log_shape), v = product_or_zero(log_time - log_scale, k), hazard = std::exp(v);
    const double rate = product_or_zero(event, log_shape - log_time + v);
    const double bend = product_or_zero(hazard, 1.0 + v) - event;
    return {std::isinf(hazard) ? hazard : hazard - rate, product_or_zero(event - hazard, k),
            product_or_zero(hazard, k * k), product_or_zero(hazard - event, v) - event, product_or_zero(bend, v)};
}

}  // namespace losslib
