// Norms of the difference of two rows, by which a triplet is compared.
//
// The loops over a row are in pyx/distance/. What belongs to a whole row is computed in double: the squares of float32
// numbers neither overflow nor underflow there.
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
// where p >= 1, and an element that is 0 has slope 0 for p < 1 too. A steep power magnifies the rounding of d: then the
// slope is (|u| / m)^(p - 1) with m the largest |u|, and the coefficient (sum (|u| / m)^p)^(1/p - 1).
struct MinkowskiNorm {
    double coefficient = 0;
    double degree = 2;
    double reference = 1;
    double unit = 1, log_unit = 0;  // of the terms; the largest element, where its own power leaves the range

    LOSSLIB_INLINE void set_degree(double p) { degree = p; }
    LOSSLIB_INLINE void set_largest(double largest) {
        unit = largest > 0 && !std::isinf(largest) ? largest : 1;
        log_unit = log(unit);
    }
    LOSSLIB_INLINE double term(double u) const { return exp(degree * (log(std::fabs(u)) - log_unit)); }
    LOSSLIB_INLINE double accumulate(double sum, double term) const { return sum + term; }
    LOSSLIB_INLINE double distance(double total, double factor) const {
        return unit * std::pow(total, 1 / degree) / factor;
    }
    LOSSLIB_INLINE void set_distance(double distance) {
        coefficient = distance == 0 ? 0 : 1;
        reference = distance == 0 ? 1 : distance;
    }
    LOSSLIB_INLINE bool is_steep() const { return degree > 64; }
    LOSSLIB_INLINE void set_total(double total) {
        coefficient = total == 0 ? 0 : std::pow(total, 1 / degree - 1);
        reference = unit;
    }
    LOSSLIB_INLINE double slope(double u) const {
        const double power = exp((degree - 1) * log(std::fabs(u) / reference));
        return with_sign_of(u, select(u == 0, 0.0, power));
    }
};

}  // namespace losslib
