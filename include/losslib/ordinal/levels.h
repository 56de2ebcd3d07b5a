// Yes-or-no questions of an ordered scale: cross entropies under sigmoids, a block of numbers at a time.
#pragma once

#include <cstddef>

#include "losslib/core/restrict.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// Value, slope and curvature of weight * BCE(x, level), for each number of a block; nothing where the weight is 0. Of
// levels 0 and 1 the slope is a sigmoid, without a difference.
template <class T> inline void level_terms(const T* LOSSLIB_RESTRICT x, const T* LOSSLIB_RESTRICT level,
                                           const T* LOSSLIB_RESTRICT weight, std::ptrdiff_t n,
                                           T* LOSSLIB_RESTRICT value, T* LOSSLIB_RESTRICT slope,
                                           T* LOSSLIB_RESTRICT curvature) {
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const Logistic<T> z = logistic(x[i]);
        const bool yes = level[i] == T(1), no = level[i] == T(0);
        const T between = z.softplus - level[i] * x[i];
        value[i] = product_or_zero(weight[i], select(yes, z.softplus_neg, select(no, z.softplus, between)));
        slope[i] = product_or_zero(weight[i], select(yes, -z.sigma_neg, select(no, z.sigma, z.sigma - level[i])));
        curvature[i] = product_or_zero(weight[i], z.sigma * z.sigma_neg);
    }
}

// x = exp(x) for x <= 0
inline void exponentials(double* x, std::ptrdiff_t n) {
    for (std::ptrdiff_t i = 0; i < n; ++i) x[i] = exp_nonpositive(x[i]);
}

}  // namespace losslib
