// Scalar mathematics of the CTC lattice.
//
// A target of L labels has 2L + 1 states: blank 0, label 0, blank 1, ..., label L - 1, blank L. A path stays in its state
// from frame to frame, goes to the next, or from a label over the blank to the next label, if that is another one.
// With the emissions e of a frame and `skip` = one where a blank may be left out, zero elsewhere,
//   blank'_j = e_blank * (blank_j + label_{j-1})
//   label'_i = e_i * (label_i + blank_i + skip_i * label_{i-1}),
// and the same from the end towards the start. Plus and times are those of a semiring: probabilities are summed near 1
// (ScaledProbability) or as logarithms (LogProbability), and the best path is a maximum (BestPath).
//
// The loops over states and frames are in pyx/ctc/.
#pragma once

#include <cmath>
#include <limits>

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

#if defined(_MSC_VER)
#define LOSSLIB_RESTRICT __restrict
#else
#define LOSSLIB_RESTRICT __restrict__
#endif

namespace losslib {

// States of one frame: the planes that a step reads and writes are different memory, which the compiler cannot see.
using Plane = double* LOSSLIB_RESTRICT;
using ConstPlane = const double* LOSSLIB_RESTRICT;

// Probabilities, brought back near 1 by powers of two: a step costs three additions and three multiplications.
struct ScaledProbability {
    static constexpr double zero = 0.0;
    static constexpr double one = 1.0;

    LOSSLIB_INLINE double plus(double a, double b) const { return a + b; }
    LOSSLIB_INLINE double plus(double a, double b, double c) const { return a + b + c; }
    LOSSLIB_INLINE double times(double a, double b) const { return a * b; }
};

// Logarithms of probabilities: no path is lost, at ten times the cost.
struct LogProbability {
    static constexpr double zero = -std::numeric_limits<double>::infinity();
    static constexpr double one = 0.0;

    LOSSLIB_INLINE double plus(double a, double b) const { return plus(a, b, zero); }
    // -inf for three of them, whose differences are NaN. NaN gives NaN.
    LOSSLIB_INLINE double plus(double a, double b, double c) const {
        const double largest = maximum(a, maximum(b, c));
        const double origin = select(largest == zero, 0.0, largest);
        return origin + log(exp(a - origin) + exp(b - origin) + exp(c - origin));
    }
    LOSSLIB_INLINE double times(double a, double b) const { return a + b; }
};

// Logarithm of the most probable path.
struct BestPath {
    static constexpr double zero = -std::numeric_limits<double>::infinity();
    static constexpr double one = 0.0;

    LOSSLIB_INLINE double plus(double a, double b) const { return maximum(a, b); }
    LOSSLIB_INLINE double plus(double a, double b, double c) const { return maximum(a, maximum(b, c)); }
    LOSSLIB_INLINE double times(double a, double b) const { return a + b; }
};

// Scaled probabilities of both directions are below 3^16, so a state that fell below the least double has lost less than
// 1e-300 of a frame's total. With every total above this bound, what all states of a long sample have lost together is
// below 1e-20 of the whole; otherwise the sample is computed in logarithms.
constexpr double least_total = 1e-270;

// Below this value what the alignment misses is added up instead: a difference to 1 would have few digits.
constexpr double nearly_certain = 1e-3;

// The exponent k with 2^k <= largest < 2^(k + 1); 0 for zero, infinity and NaN, which no power of two helps.
LOSSLIB_INLINE int scale_exponent(double largest) {
    return largest > 0.0 && largest < std::numeric_limits<double>::infinity() ? std::ilogb(largest) : 0;
}

LOSSLIB_INLINE double power_of_two(int exponent) { return std::ldexp(1.0, exponent); }

}  // namespace losslib
