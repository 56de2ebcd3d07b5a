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
// Coefficients are minimax fits (Remez exchange, 45 digits) to the relative error of the function named
// beside them. "ULP float/double" is the largest error seen on 3 to 4 million arguments per function and
// type, over the instruction sets x86-64-v2 (no fma), v3 and v4; tests/numerics/test_vecmath.py holds the bounds
// against mpmath. NaN gives NaN everywhere.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "losslib/core/inline.h"
#include "losslib/core/select.h"

namespace losslib {

// c0 + x (c1 + x (c2 + ...)); x is a number or a vector of them.
template <class X, class T> LOSSLIB_INLINE X polynomial(X x, T c, T d) { return c + x * d; }
template <class X, class T, class... Rest> LOSSLIB_INLINE X polynomial(X x, T c, T d, Rest... rest) {
    return c + x * polynomial(x, d, rest...);
}

template <class T> struct FloatFormat;

template <> struct FloatFormat<float> {
    using Bits = std::uint32_t;
    static constexpr int mantissa_bits = 23;
    static constexpr float bias = 127.0f;
    static constexpr float magic = 0x1.8p23f;
    static constexpr Bits one = 0x3f800000u;
    static constexpr Bits sqrt_half = 0x3f3504f3u;
    static constexpr Bits mantissa_mask = 0x007fffffu;
    static constexpr Bits upper_half_mask = 0xfffff000u;  // 12 of 24 bits: products are exact
    static constexpr float ln2 = 0x1.62e430p-1f;
    static constexpr float ln2_hi = 0x1.62e4p-1f;  // 15 bits, so that n * ln2_hi is exact
    static constexpr float ln2_lo = 1.4286068e-06f;
    static constexpr float log2_e = 0x1.715476p+0f;
    static constexpr float two_thirds_hi = 0x1.554p-1f;
    static constexpr float two_thirds_lo = 0x1.555556p-13f;
    static constexpr float subnormal_scale = 0x1p24f, subnormal_exponent = 24.0f;
    static constexpr float exp_lowest = -104.0f;                // exp is below half the least subnormal
    static constexpr float exp_highest = 89.0f;                 // exp overflows
    static constexpr float exp_least_normal = -0x1.5d589ep+6f;  // -87.336: exp is just above the least normal number
    static constexpr float expm1_lowest = -18.0f;               // expm1 rounds to -1
    static constexpr float far_scale = 0x1p-80f, far_exponent = 160.0f;  // 2^-h and 2h of log_of_quotient,
    static constexpr float far_quotient = 1e-36f;                        // for quotients beyond this and its inverse
    static constexpr float power_exponent = 0x1p40f;                     // every larger one gives 0, 1 or inf

    // (exp(r) - 1 - r) / r^2 for |r| <= ln(2)/2
    template <class X> static LOSSLIB_INLINE X exp_tail(X r) {
        return polynomial(r, 0.49999997f, 0.16666543f, 0.0416672f, 0.0083665475f, 0.0013882499f);
    }
    // log(1 + f) - f + f^2/2 for f in [sqrt(1/2) - 1, sqrt(2) - 1]: at this precision a polynomial takes less time than
    // a division.
    static LOSSLIB_INLINE float log_tail(float f, float half_square) {
        return f * half_square *
               polynomial(f, 0.66666627f, -0.5000002f, 0.40004238f, -0.3333599f, 0.28439108f, -0.24811192f, 0.23776309f,
                          -0.23351218f, 0.1349321f);
    }
    // log(1 + x), 0 <= x <= 1
    static LOSSLIB_INLINE float log1p_unit(float x) {
        const float half_square = 0.5f * x * x;
        const float tail = half_square * x *
                           polynomial(x, 0.66666186f, -0.49986658f, 0.39852932f, -0.32457814f, 0.25361592f,
                                      -0.17187157f, 0.088626504f, -0.029378613f, 0.0045556356f);
        return x - (half_square - tail);
    }
    // (3 atanh(s)/s - 3 - s^2) / s^4 as a function of z = s^2 for s <= 0.172
    static LOSSLIB_INLINE float power_tail(float z) { return polynomial(z, 0.6000023f, 0.42820626f, 0.35129702f); }
};

template <> struct FloatFormat<double> {
    using Bits = std::uint64_t;
    static constexpr int mantissa_bits = 52;
    static constexpr double bias = 1023.0;
    static constexpr double magic = 0x1.8p52;
    static constexpr Bits one = 0x3ff0000000000000u;
    static constexpr Bits sqrt_half = 0x3fe6a09e667f3bcdu;
    static constexpr Bits mantissa_mask = 0x000fffffffffffffu;
    static constexpr Bits upper_half_mask = 0xfffffffff8000000u;  // 26 of 53 bits
    static constexpr double ln2 = 0x1.62e42fefa39efp-1;
    static constexpr double ln2_hi = 0x1.62e42fefa3p-1;  // 41 bits
    static constexpr double ln2_lo = 2.8235290563031577e-13;
    static constexpr double log2_e = 1.4426950408889634;
    static constexpr double two_thirds_hi = 0x1.5555554p-1;
    static constexpr double two_thirds_lo = 0x1.5555555555555p-29;
    static constexpr double subnormal_scale = 0x1p54, subnormal_exponent = 54.0;
    static constexpr double exp_lowest = -746.0;
    static constexpr double exp_highest = 710.0;
    static constexpr double exp_least_normal = -0x1.6232bdd7abcd2p+9;  // -708.396
    static constexpr double expm1_lowest = -38.0;
    static constexpr double far_scale = 0x1p-540, far_exponent = 1080.0;
    static constexpr double far_quotient = 1e-300;
    static constexpr double power_exponent = 0x1p80;

    template <class X> static LOSSLIB_INLINE X exp_tail(X r) {
        return polynomial(r, 0.5000000000000006, 0.16666666666666588, 0.041666666666576466, 0.008333333333389715,
                          0.0013888888931668307, 0.00019841269718758555, 2.4801505141509796e-05, 2.75574076381441e-06,
                          2.762609324180896e-07, 2.505379221618923e-08);
    }
    // s (f^2/2 + R), s = f / (2 + f), s R = 2 atanh(s) - 2 s: the same
    static LOSSLIB_INLINE double log_tail(double f, double half_square) {
        const double s = f / (2.0 + f);
        const double z = s * s;
        return s * (half_square + z * polynomial(z, 0.6666666666666735, 0.39999999999411096, 0.2857142874326202,
                                                 0.2222219847603375, 0.1818356973780147, 0.15313903288297956,
                                                 0.14797507402735305));
    }
    // Either 1 + x or (1 + x)/2 is near 1, and both f = x and f = (x - 1)/2 are exact.
    static LOSSLIB_INLINE double log1p_unit(double x) {
        const bool halve = x > 0.4142135623730950488;
        const double f = select(halve, (x - 1.0) * 0.5, x);
        const double half_square = 0.5 * f * f;
        const double finite = f - (half_square - (log_tail(f, half_square) + select(halve, ln2_lo, 0.0)));
        return finite + select(halve, ln2_hi, 0.0);
    }
    static LOSSLIB_INLINE double power_tail(double z) {
        return polynomial(z, 0.6000000000000341, 0.42857142855138297, 0.33333333781959723, 0.2727267636111736,
                          0.23080145065814064, 0.19885008199750034, 0.19796582782492952);
    }
};

template <class T> using Bits = typename FloatFormat<T>::Bits;

template <class T> LOSSLIB_INLINE Bits<T> to_bits(T x) {
    Bits<T> bits;
    std::memcpy(&bits, &x, sizeof x);
    return bits;
}

template <class T> LOSSLIB_INLINE T from_bits(Bits<T> bits) {
    T x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

template <class T> LOSSLIB_INLINE T upper_half(T x) {
    return from_bits<T>(to_bits(x) & FloatFormat<T>::upper_half_mask);
}

template <class T> LOSSLIB_INLINE T with_sign_of(T sign, T magnitude) {
    constexpr Bits<T> mask = Bits<T>(1) << (sizeof(T) * 8 - 1);
    return from_bits<T>(to_bits(magnitude) | (to_bits(sign) & mask));
}

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

// log1p(x), or where `plain` holds log(x): one logarithm of either. x >= 0, and positive and normal where it is plain.
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
