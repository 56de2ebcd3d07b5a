// Yes-or-no questions of an ordered scale: cross entropies under sigmoids, a block of numbers at a time.
#pragma once

#include <cstddef>
#include <cstring>

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

// Multiply derivatives; with the factor 0 one is 0 whatever it is.
template <class T> inline void multiply_or_clear(T* x, const double* factor, std::ptrdiff_t n) {
    for (std::ptrdiff_t i = 0; i < n; ++i) x[i] = T(product_or_zero(factor[i], double(x[i])));
}

// target[i] = source[i] or a number, in whole sixteens: faster for a short row than its exact length, which a copy of the
// next row restores. Up to 15 numbers behind the n are read and written. Of the first sixteen no call of memcpy is made.
template <class T> LOSSLIB_INLINE void copy_sixteens(const T* source, T* target, std::ptrdiff_t n) {
    std::memcpy(target, source, 16 * sizeof(T));
    for (std::ptrdiff_t i = 16; i < n; i += 16) std::memcpy(target + i, source + i, 16 * sizeof(T));
}

template <class T> LOSSLIB_INLINE void fill_sixteens(T number, T* target, std::ptrdiff_t n) {
    for (std::ptrdiff_t i = 0; i < n; i += 16) {
        for (int k = 0; k < 16; ++k) target[i + k] = number;
    }
}

// x = exp(x) for x <= 0
inline void exponentials(double* x, std::ptrdiff_t n) {
    for (std::ptrdiff_t i = 0; i < n; ++i) x[i] = exp_nonpositive(x[i]);
}

}  // namespace losslib
