// Yes-or-no questions of an ordered scale: cross entropies under sigmoids, a block of numbers at a time.
#pragma once

#include <cstddef>

#include "losslib/core/vecmath.h"

namespace losslib {

// Value, slope and curvature of weight * BCE(x, level), for each number of a block; nothing where the weight is 0. Of
// levels 0 and 1 the slope is a sigmoid, without a difference.
inline void level_terms(const double* x, const double* level, const double* weight, std::ptrdiff_t n, double* value,
                        double* slope, double* curvature) {
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const Logistic<double> z = logistic(x[i]);
        const bool yes = level[i] == 1.0, no = level[i] == 0.0;
        const double between = z.softplus - level[i] * x[i];
        value[i] = product_or_zero(weight[i], select(yes, z.softplus_neg, select(no, z.softplus, between)));
        slope[i] = product_or_zero(weight[i], select(yes, -z.sigma_neg, select(no, z.sigma, z.sigma - level[i])));
        curvature[i] = product_or_zero(weight[i], z.sigma * z.sigma_neg);
    }
}

}  // namespace losslib
