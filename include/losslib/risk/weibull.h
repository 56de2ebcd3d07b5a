// A Weibull time with the logarithms of scale and shape as predictions.
#pragma once

#include <cmath>

#include "losslib/risk/jet.h"

namespace losslib {

struct WeibullTerms {
    double value;
    double scale_slope, scale_curvature, shape_slope, shape_curvature;
};

// With u = log(time) - log_scale, k = exp(log_shape) and v = k u the value is exp(v) - event (log_shape - log_scale +
// (k - 1) u); exp(v) is the cumulative hazard. Time 0 or scale inf, u = -inf: products with exp(v) = 0 are 0.
inline WeibullTerms weibull_terms(double log_scale, double log_shape, double log_time, double event) {
    const double k = std::exp(log_shape), u = log_time - log_scale, v = k * u, hazard = std::exp(v);
    const double hazard_v = hazard == 0.0 ? 0.0 : hazard * v;
    const double rate = event == 0.0 ? 0.0 : event * (log_shape - log_time + v);
    const double event_v = event == 0.0 ? 0.0 : event * v;
    return {hazard - rate, k * (event - hazard), k * k * hazard, hazard_v - event_v - event,
            (hazard == 0.0 ? 0.0 : hazard_v * (1.0 + v)) - event_v};
}

}  // namespace losslib
