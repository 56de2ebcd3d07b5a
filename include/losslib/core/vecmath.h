// exp, log and their relatives as branch-free inline polynomials for float and double.
//
// A call to libm stops the vectoriser, so the functions here use additions, multiplications, at most three
// divisions, integer operations on the bits and `select`. Compile with -O3 -fno-math-errno -fno-trapping-math
// and round-to-nearest; never with -ffast-math, which folds the additions of a "magic" constant away. GCC and
// Clang then vectorise a loop over any of them for SSE4, AVX2, AVX-512 and NEON. No step depends on whether
// a * b + c is contracted to an fma.
//
// Two devices replace conversions between integers and floats, which AVX2 lacks for 64 bits:
//   * z = x log2(e) + 1.5 * 2^mantissa_bits puts round(x log2(e)) into the low bits of z. With the exponent's
//     bias added to the constant, bits(z) << mantissa_bits is the power of two.
//   * bits(x) >> mantissa_bits is the biased exponent of x > 0. Placed in the low bits of the float
//     2^mantissa_bits and reduced by that number, it is the exponent as a float.
//
// Coefficients are in float_format.h. "ULP float/double" is the largest error seen on 3 to 4 million arguments
// per function and type, over the instruction sets x86-64-v2 (no fma), v3 and v4; tests/numerics/test_vecmath.py
// holds the bounds against mpmath. NaN gives NaN everywhere.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "losslib/core/float_format.h"
#include "losslib/core/inline.h"
#include "losslib/core/select.h"

namespace losslib {

// NaN passes.
template <class T> LOSSLIB_INLINE T clamp(T x, T lowest, T highest) {
    return select(x > highest, highest, select(x < lowest, lowest, x));
}

// Both rounded correctly.
template <class T> LOSSLIB_INLINE T sqrt(T x) { return std::sqrt(x); }
template <class T> LOSSLIB_INLINE T abs(T x) { return std::fabs(x); }

// exp(x) = 2^n (1 + m), n = round(x / ln 2), m = expm1(x - n ln 2) in [-0.293, 0.415]; bits(shifted) <<
// mantissa_bits are the bits of 2^(n + shift - bias).
template <class T> struct ReducedExp {
    T n, m, shifted;
};

template <class T> LOSSLIB_INLINE ReducedExp<T> reduce_exp(T x, T shift, T tail = T(0)) {
    using F = FloatFormat<T>;
    const T shifted = x * F::log2_e + (F::magic + shift);
    const T n = shifted - (F::magic + shift);
    const T leading = x - n * F::ln2_hi;  // exact; the rounding of r matters only from r^2 on
    const T trailing = tail - n * F::ln2_lo;
    const T r = leading + trailing;
    return {n, leading + (r * r * F::exp_tail(r) + trailing), shifted};
}

template <class T> LOSSLIB_INLINE T exp_with_tail(T x, T tail) {
    using F = FloatFormat<T>;
    const ReducedExp<T> e = reduce_exp(x, 2 * F::bias, tail);
    // 2^n leaves the range of exponents at both ends: two factors 2^(n/2) and 2^(n - n/2), of which only the
    // second multiplication can round (gradual underflow) or overflow.
    const T half = e.n * T(0.5) + (F::magic + F::bias);
    const T first = from_bits<T>(to_bits(half) << F::mantissa_bits);
    const T second = from_bits<T>((to_bits(e.shifted) - to_bits(half)) << F::mantissa_bits);
    return (T(1) + e.m) * first * second;
}

// ULP 0.93/0.93, all x. Subnormal results are rounded once; exp(-inf) = 0, overflow to inf.
template <class T> LOSSLIB_INLINE T exp(T x) {
    using F = FloatFormat<T>;
    return exp_with_tail(clamp(x, F::exp_lowest, F::exp_highest), T(0));
}

// ULP 0.93/0.93, x <= 0 (no more than 43). Subnormal results are rounded once; exactly 0 for -inf.
template <class T> LOSSLIB_INLINE T exp_nonpositive(T x) {
    using F = FloatFormat<T>;
    const ReducedExp<T> e = reduce_exp(select(x < F::exp_lowest, F::exp_lowest, x), F::bias + T(64));
    const T scale = from_bits<T>(to_bits(e.shifted) << F::mantissa_bits);  // 2^(n + 64)
    return (T(1) + e.m) * scale * T(0x1p-64f);
}

// exp(x) = part * factor, where part does not overflow before x has passed twice the range of exp: for products with a
// small number, and for reciprocals down to the least subnormal number. x - shift is exact where it is taken.
template <class T> struct SplitExp {
    T part, factor, inverse_factor;
};

template <class T> LOSSLIB_INLINE SplitExp<T> split_exp(T x) {
    constexpr bool single = sizeof(T) == 4;
    const bool far = x > T(single ? 88.0 : 709.0);
    const T shift = T(single ? 64.0 : 512.0), factor = T(single ? 0x1.425982cf597cdp+92 : 0x1.9476504ba852ep+738);
    return {exp(select(far, x - shift, x)), select(far, factor, T(1)), select(far, T(1) / factor, T(1))};
}

// ULP 1.7/1.6, all x. -1 for -inf, inf on overflow, -0.0 for -0.0.
template <class T> LOSSLIB_INLINE T expm1(T x) {
    using F = FloatFormat<T>;
    const ReducedExp<T> e = reduce_exp(clamp(x, F::expm1_lowest, F::exp_highest), F::bias - T(1));
    const T scale = from_bits<T>(to_bits(e.shifted) << F::mantissa_bits);  // 2^(n - 1): 2^n may be inf
    const T result = (scale * e.m + (scale - T(0.5))) * T(2);
    // Halving would take the last bit of a subnormal.
    return select(abs(x) < T(0.25) * std::numeric_limits<T>::epsilon(), x, result);
}

// exp(x) and expm1(x), x <= 0, from one polynomial; exp is held at exp(expm1_lowest) below that.
template <class T> struct ExpAndExpm1 {
    T exp, expm1;
};

template <class T> LOSSLIB_INLINE ExpAndExpm1<T> exp_and_expm1_nonpositive(T x) {
    using F = FloatFormat<T>;
    const ReducedExp<T> e = reduce_exp(select(x < F::expm1_lowest, F::expm1_lowest, x), F::bias);
    const T scale = from_bits<T>(to_bits(e.shifted) << F::mantissa_bits);
    return {scale * e.m + scale, scale * e.m + (scale - T(1))};
}

// x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); -k is kept because log(1) and log1p(-0.0) then keep
// their signs.
template <class T> struct ReducedLog {
    T minus_k, f;
};

template <class T> LOSSLIB_INLINE ReducedLog<T> reduce_log(T x) {
    using F = FloatFormat<T>;
    constexpr T two_to_mantissa = T(F::magic / T(1.5));
    const Bits<T> shifted = to_bits(x) + (F::one - F::sqrt_half);
    const T biased_k = from_bits<T>((shifted >> F::mantissa_bits) + to_bits(two_to_mantissa));
    const T mantissa = from_bits<T>((shifted & F::mantissa_mask) + F::sqrt_half);
    return {(two_to_mantissa + F::bias) - biased_k, mantissa - T(1)};
}

// log(1 + f) = f - half_square + tail
template <class T> struct LogCorrection {
    T half_square, tail;
};

template <class T> LOSSLIB_INLINE LogCorrection<T> log_correction(T f) {
    const T half_square = T(0.5) * f * f;
    return {half_square, FloatFormat<T>::log_tail(f, half_square)};
}

// ULP 0.84/0.84, x >= 0, subnormals included. log(+-0) = -inf, negative gives NaN.
template <class T> LOSSLIB_INLINE T log(T x) {
    using F = FloatFormat<T>;
    using Limits = std::numeric_limits<T>;
    const bool subnormal = x < Limits::min();
    const ReducedLog<T> r = reduce_log(select(subnormal, x * F::subnormal_scale, x));
    const T minus_k = r.minus_k + select(subnormal, F::subnormal_exponent, T(0));
    const LogCorrection<T> c = log_correction(r.f);
    const T finite = (r.f - (c.half_square - (c.tail - minus_k * F::ln2_lo))) - minus_k * F::ln2_hi;
    const T edge = select(x == T(0), -Limits::infinity(), Limits::quiet_NaN());
    return select(x < Limits::infinity(), select(x > T(0), finite, edge), x);
}

// 1 + x = 2^k (1 + f) + rounding: for k = 0, f = x exactly; otherwise `rest` is what rounding 1 + x lost, to
// be added to the logarithm. With one = 0 the same of x itself, which is positive and normal then.
template <class T> struct ReducedLog1p {
    T minus_k, f, rest;
    LogCorrection<T> correction;
};

template <class T> LOSSLIB_INLINE ReducedLog1p<T> reduce_log1p(T x, T one = T(1)) {
    using F = FloatFormat<T>;
    const T u = one + x;
    const ReducedLog<T> r = reduce_log(u);
    const bool near_one = r.minus_k == T(0);
    const T f = select(near_one, x - (T(1) - one), r.f);
    const T lost = select(near_one, T(0), x - (u - one));
    const LogCorrection<T> c = log_correction(f);
    // lost / u to 1 %: u = 2^k (1 + f), and a parabola near 1 / (1 + f). The power is 2^(1 - k), since 2^-k would
    // wrap around at k = bias + 1.
    constexpr Bits<T> two = F::one + (Bits<T>(1) << F::mantissa_bits);
    const T twice_inverse_power = from_bits<T>(two + to_bits(T(1) + r.f) - to_bits(u));
    return {r.minus_k, f, lost * twice_inverse_power * polynomial(r.f, T(0.5025), T(-0.5403), T(0.4571)), c};
}

// ULP 0.85/0.85, x >= -1. log1p(-1) = -inf, below gives NaN; log1p(-0.0) = -0.0.
template <class T> LOSSLIB_INLINE T log1p(T x) {
    using F = FloatFormat<T>;
    using Limits = std::numeric_limits<T>;
    const ReducedLog1p<T> r = reduce_log1p(x);
    const LogCorrection<T> c = r.correction;
    const T small = c.tail + (r.rest - r.minus_k * F::ln2_lo);
    const T finite = (r.f - (c.half_square - small)) - r.minus_k * F::ln2_hi;
    const T edge = select(x == T(-1), -Limits::infinity(), Limits::quiet_NaN());
    return select(x < Limits::infinity(), select(x > T(-1), finite, edge), x);
}

// log1p(x), or where `plain` holds log(x): one logarithm of either. x > -1, and positive and normal where it is plain.
template <class T> LOSSLIB_INLINE T log1p_or_log(T x, bool plain) {
    if constexpr (std::is_class_v<T>) {
        return select(plain, log(x), log1p(x));  // the dual numbers of the tests
    } else {
        using F = FloatFormat<T>;
        const ReducedLog1p<T> r = reduce_log1p(x, select(plain, T(0), T(1)));
        const LogCorrection<T> c = r.correction;
        const T small = c.tail + (r.rest - r.minus_k * F::ln2_lo);
        const T finite = (r.f - (c.half_square - small)) - r.minus_k * F::ln2_hi;
        return select(x < std::numeric_limits<T>::infinity(), finite, x);
    }
}

// ULP 2.2/2.2, x >= 0: x - log1p(x), x^2/2 near 0 without cancellation, inf for inf.
template <class T> LOSSLIB_INLINE T x_minus_log1p(T x) {
    using F = FloatFormat<T>;
    const ReducedLog1p<T> r = reduce_log1p(x);
    const LogCorrection<T> c = r.correction;
    const T small = c.tail + (r.rest - r.minus_k * F::ln2_lo);
    const T finite = ((x + r.minus_k * F::ln2_hi) - r.f) + (c.half_square - small);
    return select(x < std::numeric_limits<T>::infinity(), finite, x);
}

// For a >= 0 and b >= 0 log(a / b), also where the quotient leaves the range of T, and `divergence`: what is left of
// a log(a / b) - a + b, divided by b, for a / b near 1, where its terms would cancel. `difference` is (b - a) / b, and
// near 1 means that it is small.
template <class T> struct QuotientLog {
    T log, divergence;
};
template <class T> LOSSLIB_INLINE bool is_small_difference(T difference) {
    return (difference > T(-0.41)) & (difference < T(0.29));  // then a / b is in [sqrt(1/2), sqrt(2))
}

template <class T> LOSSLIB_INLINE QuotientLog<T> log_of_quotient(T a, T b, T difference) {
    using F = FloatFormat<T>;
    using Limits = std::numeric_limits<T>;
    // So far apart that the quotient may leave the range: then the larger is not tiny and the smaller not huge, and both
    // stay in the range when they are brought nearer to each other.
    const bool above = a * F::far_quotient > b, below = b * F::far_quotient > a;
    const T scale_a = select(above, F::far_scale, T(1)) * select(below, T(1) / F::far_scale, T(1));
    const T scale_b = select(above, T(1) / F::far_scale, T(1)) * select(below, F::far_scale, T(1));
    const T moved = select(below, F::far_exponent, T(0)) - select(above, F::far_exponent, T(0));
    const T q = (a * scale_a) / (b * scale_b);
    const ReducedLog<T> r = reduce_log(q);
    const T f = select(r.minus_k == T(0), -difference, r.f);
    const LogCorrection<T> c = log_correction(f);
    const T minus_k = r.minus_k + moved;
    const T finite = (f - (c.half_square - (c.tail - minus_k * F::ln2_lo))) - minus_k * F::ln2_hi;
    const T logarithm = select(q < Limits::infinity(), select(q > T(0), finite, -Limits::infinity()), q);
    // (1 + f) log(1 + f) - f, in which f^2 = 2 half_square
    return {logarithm, c.half_square * (T(1) - f) + c.tail * (T(1) + f)};
}

// ULP 1.6/1.4, 0 <= x <= 1: log1p(x).
template <class T> LOSSLIB_INLINE T log1p_unit(T x) { return FloatFormat<T>::log1p_unit(x); }

// ULP 2.5/2.5, all x. Odd, signed zeros included; -1 and 1 at -inf and inf.
template <class T> LOSSLIB_INLINE T tanh(T x) {
    const T m = exp_and_expm1_nonpositive(T(-2) * abs(x)).expm1;
    return with_sign_of(x, (T(0) - m) / (T(2) + m));
}

// ULP 2.4/2.4, all x: 1 / (1 + exp(-x)), relatively accurate in the lower tail down to subnormals.
template <class T> LOSSLIB_INLINE T sigmoid(T x) {
    const T e = exp_nonpositive(-abs(x));
    return select(x < T(0), e, T(1)) / (T(1) + e);
}

// ULP 2.2/1.7, all x: log(1 + exp(x)), relatively accurate in the lower tail down to subnormals.
template <class T> LOSSLIB_INLINE T softplus(T x) {
    return select(x > T(0), x, T(0)) + log1p_unit(exp_nonpositive(-abs(x)));
}

// ULP 2.9/2.9 (sigmoids: the smaller is a product, not a second quotient) and 2.2/1.7 (softplus), all x:
// sigmoid(x), sigmoid(-x), softplus(x), softplus(-x) from one exponential, each with both tails as above;
// bend = softplus(x) - max(x, 0) = softplus(-x) - max(-x, 0).
template <class T> struct Logistic {
    T sigma, sigma_neg, softplus, softplus_neg, bend;
};

template <class T> LOSSLIB_INLINE Logistic<T> logistic(T x) {
    const T e = exp_nonpositive(-abs(x));
    const T larger = T(1) / (T(1) + e);
    const T smaller = e * larger;
    const T bend = log1p_unit(e);
    const bool negative = x < T(0);
    return {select(negative, smaller, larger), select(negative, larger, smaller), select(x > T(0), x, T(0)) + bend,
            select(negative, -x, T(0)) + bend, bend};
}

// ULP 4.4/4.4 (value, relative until x^2/2 underflows) and 2.5/2.5 (tanh), all x: log(cosh(x)) and its
// derivative from one exponential; the value at +-inf is inf.
template <class T> struct LogCosh {
    T value, tanh;
};

template <class T> LOSSLIB_INLINE LogCosh<T> log_cosh(T x) {
    using F = FloatFormat<T>;
    const T a = abs(x);
    const ExpAndExpm1<T> e = exp_and_expm1_nonpositive(T(-2) * a);
    // log(cosh(a)) = log(1 + sinh(a)^2) / 2 with sinh(a)^2 = expm1(-2a)^2 / (4 exp(-2a)) <= 1 for small a,
    // otherwise a - ln 2 + log(1 + exp(-2a)): both arguments of log1p lie in [0, 1] and no sum cancels.
    const bool small = a <= T(0.88);
    const T argument = select(small, (T(0.25) * e.expm1) * e.expm1 / e.exp, e.exp);
    const T logarithm = log1p_unit(argument);
    const T value = select(small, T(0.5) * logarithm, (a - F::ln2_hi) + (logarithm - F::ln2_lo));
    const T m = e.expm1;
    return {value, with_sign_of(x, (T(0) - m) / (T(2) + m))};
}

// ULP 1.0/1.8, x >= 0 and all y: x^y = exp(y log x), log x = k ln 2 + (2/3) s (3 + s^2 + ...) in two parts.
// power(0, y) is 0, 1, inf for y > 0, y = 0, y < 0; power(inf, y) the reverse; power(x, 0) = 1. Negative x
// gives NaN, and so does NaN on either side: unlike C's pow(NaN, 0) = 1, a missing number stays missing.
template <class T> LOSSLIB_INLINE T power(T x, T y) {
    using F = FloatFormat<T>;
    using Limits = std::numeric_limits<T>;
    const bool subnormal = x < Limits::min();
    const ReducedLog<T> reduced = reduce_log(select(subnormal, x * F::subnormal_scale, x));
    const T k = select(subnormal, -F::subnormal_exponent, T(0)) - reduced.minus_k;
    const T f = reduced.f;

    const T inverse = T(1) / (T(2) + f);
    const T s = f * inverse;
    const T s_hi = upper_half(s);
    const T sum_hi = upper_half(T(2) + f);
    const T sum_lo = f - (sum_hi - T(2));
    const T s_lo = ((f - s_hi * sum_hi) - s_hi * sum_lo) * inverse;

    const T z = s * s;
    const T square_hi = s_hi * s_hi;
    const T rest = s_lo * (s_hi + s) + z * z * F::power_tail(z);  // series = 3 + square_hi + rest
    const T series_hi = upper_half(T(3) + square_hi + rest);
    const T series_lo = rest - ((series_hi - T(3)) - square_hi);

    const T product = s_hi * series_hi;
    const T product_rest = s_lo * series_hi + s * series_lo;
    const T product_hi = upper_half(product + product_rest);
    const T product_lo = product_rest - (product_hi - product);

    const T log_m_hi = F::two_thirds_hi * product_hi;
    const T log_m_lo = F::two_thirds_lo * product_hi + T(2.0 / 3.0) * product_lo + k * F::ln2_lo;
    const T exponent_part = k * F::ln2_hi;
    const T log_hi = upper_half((log_m_hi + log_m_lo) + exponent_part);
    const T log_lo = log_m_lo - ((log_hi - exponent_part) - log_m_hi);

    const T exponent = clamp(y, -F::power_exponent, F::power_exponent);
    const T y_hi = upper_half(exponent);
    const T t_hi = y_hi * log_hi;
    const T t_lo = (exponent - y_hi) * log_hi + exponent * log_lo;
    const T t = t_hi + t_lo;
    const T in_range = clamp(t, F::exp_lowest, F::exp_highest);
    const T finite = exp_with_tail(in_range, select(in_range == t, t_lo - (t - t_hi), T(0)));

    const T w = select(x == T(0), y, -y);
    const T edge = select(w > T(0), T(0), select(w < T(0), Limits::infinity(), select(w == T(0), T(1), w)));
    const bool has_edge = (x == T(0)) | (x == Limits::infinity());
    return select((x > T(0)) & (x < Limits::infinity()), finite, select(has_edge, edge, Limits::quiet_NaN()));
}

}  // namespace losslib
