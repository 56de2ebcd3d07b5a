// Scalar mathematics of the losses that compare whole rows: norms of a difference, and cosines.
//
// The loops over a row are in pyx/distance.pyx. What belongs to a whole row is computed in double: the squares of float32
// numbers neither overflow nor underflow there. Gradients of float32 rows are combined in float32 where that keeps their
// digits, which takes half the time: see FusedResidual and is_ordinary.
#pragma once

#include <cmath>
#include <limits>

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// A norm of the difference u of two rows is distance(accumulate over j of term(f u_j), f) with a factor f that keeps
// the terms in range; its gradient is d(distance)/du_j = coefficient * slope(u_j) once set_distance was called.
// At distance 0 the subgradient 0 is taken.
struct EuclideanNorm {
    double coefficient = 0;

    LOSSLIB_INLINE void set_degree(double) {}
    LOSSLIB_INLINE double term(double u) const { return u * u; }
    LOSSLIB_INLINE double accumulate(double sum, double term) const { return sum + term; }
    LOSSLIB_INLINE double distance(double total, double factor) const { return std::sqrt(total) / factor; }
    LOSSLIB_INLINE void set_distance(double distance) {
        // The bound keeps 1 / subnormal finite.
        coefficient = distance == 0 ? 0 : minimum(std::numeric_limits<double>::max(), 1 / distance);
    }
    LOSSLIB_INLINE double slope(double u) const { return u; }
};

// The square of the Euclidean distance: no root, smooth at 0.
struct SquaredEuclidean {
    double coefficient = 2;

    LOSSLIB_INLINE void set_degree(double) {}
    LOSSLIB_INLINE double term(double u) const { return u * u; }
    LOSSLIB_INLINE double accumulate(double sum, double term) const { return sum + term; }
    LOSSLIB_INLINE double distance(double total, double factor) const { return total / factor / factor; }
    LOSSLIB_INLINE void set_distance(double) {}
    LOSSLIB_INLINE double slope(double u) const { return u; }
};

struct ManhattanNorm {
    double coefficient = 1;

    LOSSLIB_INLINE void set_degree(double) {}
    LOSSLIB_INLINE double term(double u) const { return std::fabs(u); }
    LOSSLIB_INLINE double accumulate(double sum, double term) const { return sum + term; }
    LOSSLIB_INLINE double distance(double total, double factor) const { return total / factor; }
    LOSSLIB_INLINE void set_distance(double) {}
    LOSSLIB_INLINE double slope(double u) const { return sign(u); }
};

// The largest difference, p = inf. The gradient is shared evenly by all elements that attain it, as in PyTorch; the
// driver counts them and sets the coefficient to 1 / count.
struct ChebyshevNorm {
    double coefficient = 1;
    double largest = 0;

    LOSSLIB_INLINE void set_degree(double) {}
    LOSSLIB_INLINE double term(double u) const { return std::fabs(u); }
    LOSSLIB_INLINE double accumulate(double sum, double term) const {
        return select(term > sum || term != term, term, sum);  // NaN stays
    }
    LOSSLIB_INLINE double distance(double total, double factor) const { return total / factor; }
    LOSSLIB_INLINE void set_distance(double distance) { largest = distance; }
    LOSSLIB_INLINE double slope(double u) const {
        return select(std::fabs(u) == largest || largest != largest, sign(u), 0.0);
    }
};

// (sum |u|^p)^(1/p) for any p > 0. The slope sign(u) (|u| / d)^(p - 1) is a power of the ratio: it cannot overflow
// where p >= 1, and an element that is 0 has slope 0 for p < 1 too.
struct MinkowskiNorm {
    double coefficient = 0;
    double degree = 2;
    double reference = 1;

    LOSSLIB_INLINE void set_degree(double p) { degree = p; }
    LOSSLIB_INLINE double term(double u) const { return exp(degree * log(std::fabs(u))); }
    LOSSLIB_INLINE double accumulate(double sum, double term) const { return sum + term; }
    LOSSLIB_INLINE double distance(double total, double factor) const { return std::pow(total, 1 / degree) / factor; }
    LOSSLIB_INLINE void set_distance(double distance) {
        coefficient = distance == 0 ? 0 : 1;
        reference = distance == 0 ? 1 : distance;
    }
    LOSSLIB_INLINE double slope(double u) const {
        const double power = exp((degree - 1) * log(std::fabs(u) / reference));
        return with_sign_of(u, select(u == 0, 0.0, power));
    }
};

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

// True for the norms, squares and coefficients whose products with float32 numbers of a row stay in the normal range.
LOSSLIB_INLINE bool is_ordinary(double number) { return std::fabs(number) > 1e-15 && std::fabs(number) < 1e15; }

// A power of two that brings a row whose largest element is this near 1; 1 for zero, infinity and NaN.
LOSSLIB_INLINE double factor_of(double largest) {
    if (!(largest > 0) || std::isinf(largest)) return 1;
    int exponent;
    std::frexp(largest, &exponent);
    return std::ldexp(1.0, exponent < -1000 ? 1000 : -exponent);
}

// True if a sum of powers has left the range in which it keeps all digits; so has 0, which may be an underflow.
LOSSLIB_INLINE bool out_of_range(double total) { return total < 1e-270 || total > 1e290; }

}  // namespace losslib
