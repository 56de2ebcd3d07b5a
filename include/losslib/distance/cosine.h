// The cosine of two rows from their scalar products, and its derivatives.
//
// What belongs to a whole row is computed in double. Gradients of float32 rows are combined in float32 where that keeps
// their digits, which takes half the time: see FusedResidual, and is_ordinary in range.h.
#pragma once

#include <cmath>

#include "losslib/core/inline.h"

namespace losslib {

// A cosine of two rows and its derivatives: dc/dx = cross * (y - ratio_x * x) and dc/dy = cross * (x - ratio_y * y).
struct Cosine {
    double value, cross, ratio_x, ratio_y;
};

// Rounding must not lead out of [-1, 1]; NaN stays NaN.
LOSSLIB_INLINE double held_cosine(double cosine) { return cosine > 1 ? 1 : (cosine < -1 ? -1 : cosine); }

// From x.y, x.x and y.y; to the squares PyTorch's cosine_embedding_loss has added a constant (1e-12). Without it a zero
// vector has the cosine 0 and the derivative 0.
LOSSLIB_INLINE Cosine cosine_of_squares(double dot, double x, double y) {
    if (x == 0 || y == 0) return {0, 0, 0, 0};
    const double root = std::sqrt(x * y);  // sqrt(x * x) is exactly x: equal rows have the cosine 1
    return {held_cosine(dot / root), 1 / root, dot / x, dot / y};
}

// PyTorch's cosine_similarity: each norm is at least eps, and constant where it is held there.
LOSSLIB_INLINE Cosine cosine_of_clamped_norms(double dot, double square_x, double square_y, double eps) {
    const double least = eps * eps;
    const double x = square_x < least ? least : square_x, y = square_y < least ? least : square_y;
    const double root = std::sqrt(x * y);
    return {held_cosine(dot / root), 1 / root, square_x < least ? 0 : dot / x, square_y < least ? 0 : dot / y};
}

// y - ratio * x for float32 rows, in which the two terms may be nearly equal: a fused multiply-add rounds their
// difference only, and a second one takes off what the ratio lost when it was rounded to float32.
struct FusedResidual {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    static constexpr bool available = true;
#else
    static constexpr bool available = false;  // separate roundings would lose the digits
#endif
    float high = 0, low = 0;

    LOSSLIB_INLINE void set_ratio(double ratio) {
        high = static_cast<float>(ratio);
        low = static_cast<float>(ratio - high);
    }
    LOSSLIB_INLINE float at(float x, float y) const { return std::fma(-low, x, std::fma(-high, x, y)); }
};

}  // namespace losslib
