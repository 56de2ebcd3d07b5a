// When the sums of a row leave the range in which they keep their digits, and how rows are brought back into it.
#pragma once

#include <cmath>

#include "losslib/core/inline.h"

namespace losslib {

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
LOSSLIB_INLINE bool out_of_range(double total) { return LOSSLIB_RARELY(total < 1e-270 || total > 1e290); }

// True if products of the square of a row would overflow.
LOSSLIB_INLINE bool is_huge_square(double square) { return LOSSLIB_RARELY(square > 1e140); }

}  // namespace losslib
