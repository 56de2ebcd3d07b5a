// Terms of discrete and parametric hazards, exact to a few ULP where probabilities or rates vanish.
#pragma once

#include <cmath>

#include "losslib/risk/jet.h"

namespace losslib {

// log(1 + exp(x)), its derivative sigmoid(x) and the derivative of that.
inline Term softplus_term(double x) {
    const double e = std::exp(-std::fabs(x));
    const double larger = 1.0 / (1.0 + e), smaller = e * larger;
    return {std::fmax(x, 0.0) + std::log1p(e), x >= 0.0 ? larger : smaller, smaller * larger};
}

// 1 + expm1(-w)/w = w/2 - w^2/6 + ... for w > 0, without its cancellation.
inline double exponential_gap(double w) {
    if (w > 0.5) return 1.0 + std::expm1(-w) / w;
    double term = 0.5 * w, sum = 0.0;
    for (int k = 3; k < 20; ++k) {
        sum += term;
        term *= -w / k;
    }
    return sum;
}

// e - log1p(e) = e^2/2 - e^3/3 + ... for e >= 0.
inline double logarithm_gap(double e) {
    if (e > 0.1) return e - std::log1p(e);
    double power = e * e, sum = 0.0;
    for (int k = 2; k < 20; ++k) {
        sum += power / k;
        power *= -e;
    }
    return sum;
}

// log(softplus(x)): x - exp(x)/2 far to the left. With r = sigmoid/softplus its derivative, the second derivative is
// -r * (r - sigmoid(-x)), whose difference is sigmoid(-x) * (e - log1p(e)) / log1p(e), e = exp(x).
inline Term log_softplus_term(double x) {
    if (x < -40.0) {
        const double e = std::exp(x);
        return {x, 1.0, -0.5 * e};
    }
    const Term s = softplus_term(x);
    const double r = s.slope / s.value;
    if (x > 0.0) return {std::log(s.value), r, -r * (r - softplus_term(-x).slope)};
    const double e = std::exp(x);
    return {std::log(s.value), r, -r * softplus_term(-x).slope * logarithm_gap(e) / s.value};
}

}  // namespace losslib
