// Robust M-estimators: losses of r = d / scale, d = input - target, whose slope stays bounded or fades for
// outliers.
//
// Formulas of J. T. Barron, "A General and Adaptive Robust Loss Function", CVPR 2019, and of the classical
// estimators (P. J. Huber, "Robust Statistics"). r^2 overflows long before these losses do; each struct says
// how it reaches the limit.
#pragma once

#include <cmath>

#include "losslib/core/inline.h"
#include "losslib/core/jet.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"
#include "losslib/pointwise/regression.h"

namespace losslib {

// Whether |d| / width is so large that log1p((d / width)^2) is 2 log(|d|) - 2 log(width).
template <class T> LOSSLIB_INLINE bool is_far(T d, double width) { return abs(d) > T(SQUARE_SWALLOWS_ONE * width); }

// log1p((d / width)^2) without the overflow of the square: one logarithm with a selected argument.
template <class T> LOSSLIB_INLINE T log1p_square(T d, double width) {
    const bool far = is_far(d, width);
    const T logarithm = log1p_or_log(select(far, abs(d), square(d * T(1.0 / width))), far);
    return select(far, T(2) * logarithm - T(2.0 * std::log(width)), logarithm);
}

// The jet of factor * log1p((d / width)^2), with s = width^2 + d^2: slope 2 factor d / s, curvature
// 2 factor (width^2 - d^2) / s^2. Neither the factor nor width^2 stands alone: they may be huge or tiny, their quotient
// ordinary.
template <class T> LOSSLIB_INLINE JetOfDifference<T> jet_of_log1p_square(T d, double width, double factor = 1.0) {
    const bool far = is_far(d, width);
    const T u = d * T(1.0 / width), steepness = T(2.0 * factor / width);
    const T denominator = T(1) + u * u;
    const T slope = select(far, T(2.0 * factor), u * steepness) / select(far, d, denominator);
    const T inverse = T(1) / denominator;
    const T bend = T(2.0 / width) * inverse - T(1.0 / width);
    const T curvature = select(far, T(-0.5 / factor) * slope * slope, (steepness * inverse) * bend);
    return jet_of_difference(T(factor) * log1p_square(d, width), slope, curvature);
}

// sqrt(r^2 + 1) - 1: the pseudo-Huber loss of r with delta 1 (Barron's alpha = 1).
struct Charbonnier {
    double scale;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T inverse = T(1.0 / scale);
        const T r = (input - target) * inverse;
        const Hyperbola<T> unit = hyperbola(r, r);
        // The cube of the inverse root may underflow where it is multiplied by a large square.
        return jet_of_difference(unit.value, unit.slope * inverse,
                                 square(unit.inverse_root * inverse) * unit.inverse_root);
    }
};

// log1p(r^2 / 2) (Barron's alpha = 0).
struct Cauchy {
    double scale;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        return jet_of_log1p_square(input - target, scale * 1.41421356237309504880);
    }
};

// 1 - exp(-r^2 / 2) (Barron's alpha = -inf), by expm1 for small r. Where the exponential is 0 so are the
// derivatives.
struct Welsch {
    double scale;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T inverse = T(1.0 / scale);
        const T r = (input - target) * inverse;
        const T exponent = T(-0.5) * r * r;
        const T e = exp_nonpositive(exponent);
        return jet_of_difference(-expm1(exponent), product_or_zero(e, r) * inverse,
                                 product_or_zero(e, T(1) + T(2) * exponent) * inverse * inverse);
    }
};

// 2 r^2 / (r^2 + 4) (Barron's alpha = -2). With w = 4 / (r^2 + 4): slope r w^2, curvature w^2 (4 w - 3).
struct GemanMcClure {
    double scale;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T inverse = T(1.0 / scale);
        const T r = (input - target) * inverse;
        const T r2 = r * r;
        const T w = T(4) / (r2 + T(4));
        return jet_of_difference(select(r2 > T(1e30), T(2), T(0.5) * r2 * w), product_or_zero(w, r) * (w * inverse),
                                 square(w * inverse) * (T(4) * w - T(3)));
    }
};

// c^2/6 (1 - (1 - (d/c)^2)^3) for |d| <= c, c^2/6 beyond; expanded in v = (d/c)^2 so that it does not cancel
// near 0.
struct TukeyBiweight {
    double c;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target;
        const T u = d * T(1.0 / c);
        const T v = u * u, rest = T(1) - v;
        const bool outside = abs(d) > T(c);
        const T value = d * d * (T(0.5) - v * (T(0.5) - v * T(1.0 / 6.0)));
        return jet_of_difference(select(outside, T(c * c / 6.0), value), select(outside, T(0), d * rest * rest),
                                 select(outside, T(0), rest * (T(1) - T(5) * v)));
    }
};

// (b / alpha) (q^(alpha/2) - 1), q = 1 + r^2 / b, b = |alpha - 2|: Barron (2019), equation 1; finite alpha
// except 0 and 2. With l = log(q):
//   * the value is (b / alpha) expm1(alpha l / 2), stable for alpha near 0 and very negative;
//   * for r^2 < 1e-17 it is r^2 / 2, whatever alpha is, where alpha l could underflow;
//   * near alpha = 2 it is (r^2 (1 + g) + b g) / alpha, g = expm1((alpha/2 - 1) l): there l is large and b small;
//   * the slope r q^(alpha/2 - 1) is (r / q) exp(alpha l / 2) for alpha < 1, since the rounding error grows
//     with the exponent; far out (b / r) exp(alpha l / 2), or sqrt(b) exp((alpha - 1) l / 2) for alpha >= 1,
//     which are never inf * 0.
// |alpha| is held in [1e-18, 1e18], where the limits at 0 and -inf are reached, so that b / alpha is finite.
struct Barron {
    double alpha, scale;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const double a = std::copysign(std::fmin(std::fmax(std::fabs(alpha), 1e-18), 1e18), alpha);
        const double b = std::fabs(a - 2.0), width = scale * std::sqrt(b);
        const T d = input - target;
        const T r = d * T(1.0 / scale), r2 = r * r;
        const T l = log1p_square(d, width);

        const T steepness = T(0.5 * a - 1.0) * l;
        const bool near_quadratic = (T(a) > T(1)) & (abs(steepness) < T(0.5));
        const T growth = expm1(select(near_quadratic, steepness, T(0.5 * a) * l));
        const T parabola = (T(1.0 / a) + T(1.0 / a) * growth) * r * r;
        const T general = T(b / a) * growth + select(near_quadratic, parabola, T(0));
        const T value = select(r2 < T(1e-17), T(0.5) * r2, general);

        const bool far = is_far(d, width), sharp = T(a) < T(1);
        const T far_exponent = product_or_zero(T(0.5 * a - 0.5), l);
        const T pull = exp(select(sharp, T(0.5 * a) * l, select(far, far_exponent, steepness)));
        const T v = square(d * T(1.0 / width));
        const T inner = T(1) / (T(1) + v);
        const T outer = select(v > T(SWALLOWS_ONE), T(1), v * inner);
        const T stiffness = pull * select(sharp, inner, T(1));  // q^(alpha/2 - 1), unless far
        const T far_slope = product_or_zero(select(sharp, T(b) / d, T(std::sqrt(b) / scale) * sign(d)), pull);
        const T relative = stiffness * T(1.0 / scale);
        const T slope = select(far, far_slope, r * relative);
        // (alpha - 1) far_slope / d, and what is left at alpha = 1
        const T inverse = T(1) / d, near = T(width) * inverse;
        const T far_bend =
            product_or_zero(T(a - 1.0) * inverse, far_slope) + product_or_zero(near, far_slope) * (near * inverse);
        const T curvature = select(far, far_bend, relative * (T(a - 1.0) * outer + inner) * T(1.0 / scale));
        return jet_of_difference(value, slope, curvature);
    }
};

// r^2 / 2: the limit alpha -> 2.
struct BarronQuadratic {
    double scale;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T inverse = T(1.0 / scale);
        const T r = (input - target) * inverse;
        return jet_of_difference(T(0.5) * r * r, r * inverse, inverse * inverse);
    }
};

}  // namespace losslib
