// The operations of a formula on one element. The loops over rows of numbers stand in pyx/formula, once for each number
// of operands.
//
// Truths are the numbers 1 and 0. What a choice does not take has no say in the result.
#pragma once

#include <limits>

#include "losslib/core/inline.h"
#include "losslib/core/restrict.h"
#include "losslib/core/select.h"
#include "losslib/core/special.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// ---- one operand

struct Copy {
    template <class T> LOSSLIB_INLINE T at(T a) const { return a; }
};
struct Negative {
    template <class T> LOSSLIB_INLINE T at(T a) const { return -a; }
};
struct Absolute {
    template <class T> LOSSLIB_INLINE T at(T a) const { return abs(a); }
};
struct Sign {
    template <class T> LOSSLIB_INLINE T at(T a) const { return sign(a); }
};
struct Not {
    template <class T> LOSSLIB_INLINE T at(T a) const { return T(1) - a; }
};
struct SquareRoot {
    template <class T> LOSSLIB_INLINE T at(T a) const { return sqrt(a); }
};
// sqrt(1 + a) - 1, a >= -1, with the digits of a small a.
struct RootOfOnePlusMinusOne {
    template <class T> LOSSLIB_INLINE T at(T a) const {
        return select(a < T(1), a / (sqrt(T(1) + a) + T(1)), sqrt(T(1) + a) - T(1));
    }
};
struct Exp {
    template <class T> LOSSLIB_INLINE T at(T a) const { return exp(a); }
};
struct Expm1 {
    template <class T> LOSSLIB_INLINE T at(T a) const { return expm1(a); }
};
struct Log {
    template <class T> LOSSLIB_INLINE T at(T a) const { return log(a); }
};
struct Log1p {
    template <class T> LOSSLIB_INLINE T at(T a) const { return log1p(a); }
};
struct Tanh {
    template <class T> LOSSLIB_INLINE T at(T a) const { return tanh(a); }
};
struct Cosh {
    template <class T> LOSSLIB_INLINE T at(T a) const { return cosh(a); }
};
struct Sinh {
    template <class T> LOSSLIB_INLINE T at(T a) const { return sinh(a); }
};
struct Sigmoid {
    template <class T> LOSSLIB_INLINE T at(T a) const { return sigmoid(a); }
};
struct Softplus {
    template <class T> LOSSLIB_INLINE T at(T a) const { return softplus(a); }
};
struct LogOfCosh {
    template <class T> LOSSLIB_INLINE T at(T a) const { return log_cosh(a).value; }
};
struct Erf {
    template <class T> LOSSLIB_INLINE T at(T a) const { return erf(a); }
};
struct Digamma {
    template <class T> LOSSLIB_INLINE T at(T a) const { return digamma(a); }
};
struct Trigamma {
    template <class T> LOSSLIB_INLINE T at(T a) const { return trigamma(a); }
};
struct Tetragamma {
    template <class T> LOSSLIB_INLINE T at(T a) const { return tetragamma(a); }
};
struct LogGamma {
    template <class T> LOSSLIB_INLINE T at(T a) const {
        const double infinity = std::numeric_limits<double>::infinity();
        const double y = double(a), value = log_gamma(y);
        return T(select(y < infinity, select(y >= 0.0, value, std::numeric_limits<double>::quiet_NaN()), y));
    }
};

// Beyond `trigonometric_limit` a second loop over the row asks the C library.
struct Sine {
    template <class T> LOSSLIB_INLINE T at(T a) const { return sin(a); }
    template <class T> static T far_off(T a) { return std::sin(a); }
};
struct Cosine {
    template <class T> LOSSLIB_INLINE T at(T a) const { return cos(a); }
    template <class T> static T far_off(T a) { return std::cos(a); }
};
template <class T> LOSSLIB_INLINE bool is_far_off(T a) { return !(abs(a) <= T(trigonometric_limit)); }
template <class Operation, class T> T far_off(const Operation&, T a) { return Operation::far_off(a); }

// ---- two operands

struct Add {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return a + b; }
};
struct Subtract {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return a - b; }
};
struct Multiply {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return a * b; }
};
struct Divide {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return a / b; }
};
struct Power {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return power(a, b); }
};
// NaN if either is.
struct Maximum {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return select(a > b, a, select(a == a, b, a)); }
};
struct Minimum {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return select(a < b, a, select(a == a, b, a)); }
};
struct Less {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return select(a < b, T(1), T(0)); }
};
struct LessEqual {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return select(a <= b, T(1), T(0)); }
};
struct Greater {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return select(a > b, T(1), T(0)); }
};
struct GreaterEqual {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return select(a >= b, T(1), T(0)); }
};
struct Equal {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return select(a == b, T(1), T(0)); }
};
struct NotEqual {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return select(a != b, T(1), T(0)); }
};
struct And {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return a * b; }
};
struct Or {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const { return select(a > b, a, b); }
};
// b with the sign of a as a factor: 0 where a is 0, NaN where a is NaN, whatever b is.
struct Signed {
    template <class T> LOSSLIB_INLINE T at(T a, T b) const {
        return select(a > T(0), b, select(a < T(0), -b, select(a == T(0), T(0), a)));
    }
};

// ---- three and four operands

struct Product {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c) const { return a * b * c; }
};
struct Choose {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c) const { return select(a != T(0), b, c); }
};
struct MultiplyAdd {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c) const { return a * b + c; }
};
struct MultiplySubtract {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c) const { return a * b - c; }
};
struct SubtractProduct {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c) const { return c - a * b; }
};
// a or the nearer of two numbers, low <= high. NaN if a is.
struct Clamp {
    template <class T> LOSSLIB_INLINE T at(T a, T low, T high) const {
        return select(a < low, low, select(a > high, high, a));
    }
};
struct SumOfProducts {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c, T d) const { return a * b + c * d; }
};
struct DifferenceOfProducts {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c, T d) const { return a * b - c * d; }
};
struct ProductAdd {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c, T d) const { return a * b * c + d; }
};
struct Ratio {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c, T d) const { return a / (b + c) * d; }
};
// c where a > b, d where a < b, their mean at a tie: the derivative of a maximum. NaN if a or b is.
struct Extreme {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c, T d) const {
        return select(a > b, c, select(a < b, d, select(a == b, T(0.5) * (c + d), a + b)));
    }
};

// c where a and b compare so, d elsewhere: a comparison whose truth only chooses is no row of its own.
struct ChooseLess {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c, T d) const { return select(a < b, c, d); }
};
struct ChooseLessEqual {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c, T d) const { return select(a <= b, c, d); }
};
struct ChooseGreater {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c, T d) const { return select(a > b, c, d); }
};
struct ChooseGreaterEqual {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c, T d) const { return select(a >= b, c, d); }
};
// The same for |a|, a distance from 0 that nothing else reads.
struct ChooseWithin {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c, T d) const { return select(abs(a) < b, c, d); }
};
struct ChooseWithinOrAt {
    template <class T> LOSSLIB_INLINE T at(T a, T b, T c, T d) const { return select(abs(a) <= b, c, d); }
};

// c where the choice is for it, 0 elsewhere.
template <class Operation, class T> LOSSLIB_INLINE T kept(const Operation& f, T a, T b, T c) {
    return f.at(a, b, c, T(0));
}

// The loops call operations by these, so that they need not know their members.
template <class Operation, class T> LOSSLIB_INLINE T apply(const Operation& f, T a) { return f.at(a); }
template <class Operation, class T> LOSSLIB_INLINE T apply(const Operation& f, T a, T b) { return f.at(a, b); }
template <class Operation, class T> LOSSLIB_INLINE T apply(const Operation& f, T a, T b, T c) { return f.at(a, b, c); }
template <class Operation, class T> LOSSLIB_INLINE T apply(const Operation& f, T a, T b, T c, T d) {
    return f.at(a, b, c, d);
}

}  // namespace losslib
