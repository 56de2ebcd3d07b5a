// The numbers that vecmath.h is made of: the formats of float and double, and the coefficients of their polynomials.
//
// Coefficients are minimax fits (Remez exchange, 45 digits) to the relative error of the function named beside them.
#pragma once

#include <cstdint>
#include <cstring>

#include "losslib/core/inline.h"

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
    // log(1 + x), 0 <= x <= 1; x is a number or a vector of them.
    template <class X> static LOSSLIB_INLINE X log1p_unit(X x) {
        const X half_square = 0.5f * x * x;
        const X tail = half_square * x *
                       polynomial(x, 0.66666186f, -0.49986658f, 0.39852932f, -0.32457814f, 0.25361592f, -0.17187157f,
                                  0.088626504f, -0.029378613f, 0.0045556356f);
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
    template <class X> static LOSSLIB_INLINE X log_tail(X f, X half_square) {
        return log_tail_of_quotient(f / (2.0 + f), half_square);
    }
    template <class X> static LOSSLIB_INLINE X log_tail_of_quotient(X s, X half_square) {
        const X z = s * s;
        return s * (half_square + z * polynomial(z, 0.6666666666666735, 0.39999999999411096, 0.2857142874326202,
                                                 0.2222219847603375, 0.1818356973780147, 0.15313903288297956,
                                                 0.14797507402735305));
    }
    // Either 1 + x or (1 + x)/2 is near 1, and both f = x and f = (x - 1)/2 are exact.
    template <class X> static LOSSLIB_INLINE X log1p_unit(X x) {
        const X zero{}, low = zero + ln2_lo, high = zero + ln2_hi;
        const auto halve = x > 0.4142135623730950488;
        const X f = halve ? (x - 1.0) * 0.5 : x;
        const X half_square = 0.5 * f * f;
        const X finite = f - (half_square - (log_tail(f, half_square) + (halve ? low : zero)));
        return finite + (halve ? high : zero);
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

}  // namespace losslib
