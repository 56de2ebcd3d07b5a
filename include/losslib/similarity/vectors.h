// Rows of vectors: their lengths, the way of derivatives through a division by them, and sums of a matrix with its
// transpose.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "losslib/simd/batch.h"
#include "losslib/simd/lanes.h"

namespace losslib {

// Sums are in float64 and in sixteen lanes, whatever the type of the rows.
inline double sum_of_lanes(const SixteenSums& sums) {
    double lane[16];
    sums.store(lane);
    for (int width = 8; width > 0; width /= 2)
        for (int k = 0; k < width; ++k) lane[k] += lane[k + width];
    return lane[0];
}

template <class T> inline double inner_product(const T* x, const T* y, std::ptrdiff_t n) {
    SixteenSums sums;
    std::ptrdiff_t i = 0;
    for (; i + 16 <= n; i += 16) sums.add_product(x + i, y + i);
    double total = sum_of_lanes(sums);
    for (; i < n; ++i) total += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    return total;
}

template <class T> inline double sum_of_row(const T* x, std::ptrdiff_t n) {
    SixteenSums sums;
    std::ptrdiff_t i = 0;
    for (; i + 16 <= n; i += 16) sums.add(x + i);
    double total = sum_of_lanes(sums);
    for (; i < n; ++i) total += static_cast<double>(x[i]);
    return total;
}

// unit = x / length where the squares of x overflow: from those of numbers relative to the largest.
template <class T> inline double divide_by_far_length(const T* x, T* unit, std::ptrdiff_t n) {
    double largest = 0.0, squares = 0.0;
    for (std::ptrdiff_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(static_cast<double>(x[i])));
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const double part = static_cast<double>(x[i]) / largest;
        squares += part * part;
    }
    const double length = std::sqrt(squares);
    for (std::ptrdiff_t i = 0; i < n; ++i) unit[i] = static_cast<T>(static_cast<double>(x[i]) / largest / length);
    return largest * length;
}

// unit = x / max(length, shortest); returns the length.
template <class T> inline double divide_by_length(const T* x, T* unit, std::ptrdiff_t n, double shortest) {
    const double length = std::sqrt(inner_product(x, x, n));
    if (length == std::numeric_limits<double>::infinity()) return divide_by_far_length(x, unit, n);
    const double inverse = 1.0 / (length < shortest ? shortest : length);
    for (std::ptrdiff_t i = 0; i < n; ++i) unit[i] = static_cast<T>(static_cast<double>(x[i]) * inverse);
    return length;
}

// target = scale (g - (g unit) unit) / length, 0 for a vector as short as nothing; the target may be g.
template <class T> inline void through_length(const T* g, const T* unit, double length, T* target, std::ptrdiff_t n,
                                              double shortest, double scale) {
    if (length <= shortest) {
        for (std::ptrdiff_t i = 0; i < n; ++i) target[i] = T(0);
        return;
    }
    const double along = inner_product(g, unit, n), factor = scale / length;
    for (std::ptrdiff_t i = 0; i < n; ++i)
        target[i] = static_cast<T>((static_cast<double>(g[i]) - along * static_cast<double>(unit[i])) * factor);
}

// Rows and columns of a block that stays in the first cache.
constexpr std::ptrdiff_t transposed_rows = 32;

// Block (first, second) of a square matrix of n columns, first <= second, becomes its sum with the transpose of its
// mirror image, and the mirror image the transpose of that.
template <class T>
inline void add_mirror_image(T* matrix, std::ptrdiff_t n, std::ptrdiff_t first, std::ptrdiff_t second) {
    T mirrored[transposed_rows * transposed_rows];
    const std::ptrdiff_t rows = std::min(transposed_rows, n - first), columns = std::min(transposed_rows, n - second);
    const std::ptrdiff_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
    const std::ptrdiff_t step = n * static_cast<std::ptrdiff_t>(sizeof(T)), local = transposed_rows * sizeof(T);
    T* block = matrix + first * n + second;
    T* image = matrix + second * n + first;
    for (std::ptrdiff_t j = 0; j < whole_columns; j += 4)
        for (std::ptrdiff_t i = 0; i < whole_rows; i += 4)
            transpose_four(image + j * n + i, step, mirrored + i * transposed_rows + j, local);
    for (std::ptrdiff_t j = 0; j < columns; ++j)
        for (std::ptrdiff_t i = j < whole_columns ? whole_rows : 0; i < rows; ++i)
            mirrored[i * transposed_rows + j] = image[j * n + i];
    for (std::ptrdiff_t i = 0; i < rows; ++i)
        for (std::ptrdiff_t j = 0; j < columns; ++j) {
            block[i * n + j] += mirrored[i * transposed_rows + j];
            mirrored[i * transposed_rows + j] = block[i * n + j];
        }
    if (first == second) return;
    for (std::ptrdiff_t i = 0; i < whole_rows; i += 4)
        for (std::ptrdiff_t j = 0; j < whole_columns; j += 4)
            transpose_four(mirrored + i * transposed_rows + j, local, image + j * n + i, step);
    for (std::ptrdiff_t j = 0; j < columns; ++j)
        for (std::ptrdiff_t i = j < whole_columns ? whole_rows : 0; i < rows; ++i)
            image[j * n + i] = mirrored[i * transposed_rows + j];
}

}  // namespace losslib
