// Trigonometric and hyperbolic functions, the error function, and the logarithm of the gamma function with its
// derivatives: what formulas need beyond core/vecmath.h, in the same manner. "ULP float/double" is the largest error seen,
// held against mpmath by tests/numerics/test_special.py.
//
// Those of float that would need care of their own (sine, cosine, digamma and its derivatives) are computed in double
// and rounded once.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

constexpr double HALF_LOG_2PI = 0.918938533204672741780;

// Up to here sine and cosine are reduced by three pieces of pi / 2, of which two have exact multiples.
constexpr double trigonometric_limit = 1e6;

// x = n pi / 2 + r + rest with |r| <= pi / 4, |x| <= trigonometric_limit; the low bits of `shifted` are n.
struct ReducedAngle {
    double r, rest;
    std::uint64_t n;
};

LOSSLIB_INLINE ReducedAngle reduce_angle(double x) {
    constexpr double first = 0x1.921fb544p+0, second = 0x1.0b4611a6p-34, third = 0x1.3198a2e037073p-69;
    const double shifted = x * 0.63661977236758134 + FloatFormat<double>::magic;
    const double n = shifted - FloatFormat<double>::magic;
    const double t = x - n * first;
    const double w = n * second;
    const double r = t - w;
    // What the subtraction lost (two sums: neither is always the larger).
    const double taken = t - r;
    const double lost = (t - (r + taken)) + (taken - w);
    return {r, lost - n * third, to_bits(shifted)};
}

// Sine (quarter = 0) or cosine (quarter = 1).
LOSSLIB_INLINE double sine_of_quarters(double x, std::uint64_t quarter) {
    const ReducedAngle a = reduce_angle(x);
    const std::uint64_t n = a.n + quarter;
    const double z = a.r * a.r;
    const double sine = a.r + (a.r * z *
                                   polynomial(z, -0.1666666666666663, 0.008333333333321974, -0.00019841269829469333,
                                              2.7557313578256376e-06, -2.5050740799094794e-08, 1.5895814924754651e-10) +
                               a.rest * (1.0 - 0.5 * z));
    const double half = 0.5 * z;
    const double one_less = 1.0 - half;
    const double cosine =
        one_less + (((1.0 - one_less) - half) +
                    (z * z *
                         polynomial(z, 0.0416666666666666, -0.0013888888888873951, 2.480158728936835e-05,
                                    -2.755731431801196e-07, 2.0875718425858894e-09, -1.1359387957683996e-11) -
                     a.r * a.rest));
    const double size = select((n & 1) != 0, cosine, sine);
    return from_bits<double>(to_bits(size) ^ ((n & 2) << 62));
}

// ULP 0.51/1.2, |x| <= trigonometric_limit (1e6). Odd, signed zeros included.
template <class T> LOSSLIB_INLINE T sin(T x) { return select(x == T(0), x, T(sine_of_quarters(double(x), 0))); }

// ULP 0.51/1.2, |x| <= trigonometric_limit (1e6).
template <class T> LOSSLIB_INLINE T cos(T x) { return T(sine_of_quarters(double(x), 1)); }

// exp(|x|) / 2, which is in range where exp(|x|) is not any more.
template <class T> LOSSLIB_INLINE T half_exp(T a) {
    using F = FloatFormat<T>;
    const T held = select(a > F::exp_highest + T(1), F::exp_highest + T(1), a);
    const T below = held - F::ln2;
    return exp_with_tail(below, ((held - below) - F::ln2) - (F::ln2_hi - F::ln2 + F::ln2_lo));
}

// ULP 1.7/1.7, all x.
template <class T> LOSSLIB_INLINE T cosh(T x) {
    const T half = half_exp(abs(x));
    return half + T(0.25) / half;
}

// ULP 3.2/3.2, all x. Odd, signed zeros included.
template <class T> LOSSLIB_INLINE T sinh(T x) {
    const T a = abs(x);
    const T half = half_exp(a);
    const T m = expm1(select(a < T(1), a, T(1)));
    return with_sign_of(x, select(a < T(1), T(0.5) * (m + m / (T(1) + m)), half - T(0.25) / half));
}

// ULP 2.5/1.5, all x. Odd; the error function is x P(x^2) up to 1 and 1 - exp(-x^2) Q beyond.
template <class T> LOSSLIB_INLINE T erf(T x) {
    const T a = abs(x);
    const T z = a * a;
    const T near = a * polynomial(z, T(1.1283791670955126), T(-0.3761263890318352), T(0.11283791670944185),
                                  T(-0.026866170643111482), T(0.005223977606118614), T(-0.000854832592932217),
                                  T(0.00012055293577152762), T(-1.4924712307185837e-05), T(1.6447131638251597e-06),
                                  T(-1.6206314289113782e-07), T(1.3710982748678367e-08), T(-7.779472948426816e-10));
    const T far_off = select(a > T(6.1), T(6.1), a);
    const T u = (far_off - T(2)) / (far_off + T(2));
    const T tail =
        exp_nonpositive(-(far_off * far_off)) / (T(1) + T(2) * far_off) *
        polynomial(u, T(1.2769783815525289), T(-0.09276382658574552), T(-0.16603039761538615), T(0.16405128003337202),
                   T(-0.05422000097982136), T(-0.008034015086302877), T(0.008722653292553131), T(0.001271339573649682),
                   T(-0.0014568006765560931), T(-0.0004543628558753107), T(0.0002062153525030613),
                   T(0.00015138716895162461), T(-7.264424232571974e-07), T(-3.898190478078105e-05),
                   T(-1.4190085987912067e-05), T(1.1041804117445832e-05));
    return with_sign_of(x, select(a < T(1), near, select(a == a, T(1) - tail, a)));
}

// Tail of Stirling's series of log(Gamma(y)): the next term is below 1e-15 for y >= 8.
template <class T> LOSSLIB_INLINE T stirling_tail(T y) {
    const T inverse = T(1) / y;
    return inverse * polynomial(inverse * inverse, T(1.0 / 12.0), T(-1.0 / 360.0), T(1.0 / 1260.0), T(-1.0 / 1680.0),
                                T(1.0 / 1188.0), T(-691.0 / 360360.0), T(1.0 / 156.0));
}

// log(Gamma(y)) for y > 0, to 40 epsilon absolutely or relatively: std::lgamma writes a global variable
// (signgam) and does not vectorise. Arguments below 8 are moved up by eight steps of the recurrence.
template <class T> LOSSLIB_INLINE T log_gamma(T y) {
    const bool small = y < T(8);
    const T low = select(small, y, T(1));
    const T steps = low * (low + T(1)) * ((low + T(2)) * (low + T(3))) * ((low + T(4)) * (low + T(5))) *
                    ((low + T(6)) * (low + T(7)));
    const T z = select(small, y + T(8), y);
    const T series = (z - T(0.5)) * log(z) - z + (T(HALF_LOG_2PI) + stirling_tail(z));
    return series - select(small, log(steps), T(0));
}

// The argument of an asymptotic series: y moved up by twelve steps of the recurrence where it is below 12.
LOSSLIB_INLINE double moved_up(double y) { return select(y < 12.0, y + 12.0, y); }

// The sum of 1 / (y + k)^order for k = 0 ... 11, where y is below 12, else 0.
template <int order> LOSSLIB_INLINE double sum_of_steps(double y) {
    double sum = 0.0;
    for (int k = 11; k >= 0; --k) {
        const double inverse = 1.0 / (y + k);
        sum += order == 1 ? inverse : order == 2 ? inverse * inverse : inverse * inverse * inverse;
    }
    return select(y < 12.0, sum, 0.0);
}

// Error below 5 epsilon of max(1, |digamma|), x > 0; -inf at 0, NaN below.
template <class T> LOSSLIB_INLINE T digamma(T x) {
    const double y = double(x), z = moved_up(y);
    const double inverse = 1.0 / z, square = inverse * inverse;
    const double tail = square * polynomial(square, -1.0 / 12.0, 1.0 / 120.0, -1.0 / 252.0, 1.0 / 240.0, -1.0 / 132.0,
                                            691.0 / 32760.0, -1.0 / 12.0);
    const double value = (log(z) - 0.5 * inverse + tail) - sum_of_steps<1>(y);
    const double edge =
        select(y == 0.0, -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN());
    return T(select(y > 0.0, value, edge));
}

// ULP 0.6/4.0, x > 0: the derivative of digamma; inf at 0, NaN below.
template <class T> LOSSLIB_INLINE T trigamma(T x) {
    const double y = double(x), z = moved_up(y);
    const double inverse = 1.0 / z, square = inverse * inverse;
    const double tail =
        inverse * square *
        polynomial(square, 1.0 / 6.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 5.0 / 66.0, -691.0 / 2730.0, 7.0 / 6.0);
    const double value = (inverse + 0.5 * square + tail) + sum_of_steps<2>(y);
    const double edge =
        select(y == 0.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN());
    return T(select(y > 0.0, value, edge));
}

// ULP 0.6/6.0, x > 0: the derivative of trigamma; -inf at 0, NaN below.
template <class T> LOSSLIB_INLINE T tetragamma(T x) {
    const double y = double(x), z = moved_up(y);
    const double inverse = 1.0 / z, square = inverse * inverse;
    const double tail =
        square * square *
        polynomial(square, -0.5, 1.0 / 6.0, -1.0 / 6.0, 3.0 / 10.0, -5.0 / 6.0, 691.0 / 210.0, -35.0 / 2.0);
    const double value = (-square - inverse * square + tail) - 2.0 * sum_of_steps<3>(y);
    const double edge =
        select(y == 0.0, -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN());
    return T(select(y > 0.0, value, edge));
}

}  // namespace losslib
