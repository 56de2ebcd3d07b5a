// Regression losses: functions of the error d = input - target, and three that also see the size of the
// target.
//
// Each struct is a loss: its fields are the parameters, `at` returns the jet. Entries L001 ... are those of
// the catalogue of peers. At a kink the gradient is PyTorch's where PyTorch has the loss and 0 elsewhere.
// Comparisons are arranged so that a NaN error falls through to a branch that carries the NaN on.
//
// For the vectoriser: what depends on the parameters alone is computed in double with <cmath> (constant
// calls, which the compiler moves out of the loop) and converted by T(...); conditions compare values of type
// T.
#pragma once

#include <cmath>
#include <type_traits>

#include "losslib/core/inline.h"
#include "losslib/core/jet.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// Above this, sqrt(1 + a^2) = a and log1p(a^2) = 2 log(a) to the last bit of a double.
constexpr double SQUARE_SWALLOWS_ONE = 1e9;
// Above this, a / (1 + a) = 1 to the last bit; small enough to be a float, so it can stand for infinity in a
// quotient.
constexpr double SWALLOWS_ONE = 1e18;

// |d|, L003. Slope 0 at d = 0.
struct AbsoluteError {
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target;
        return jet_of_difference(abs(d), sign(d), T(0));
    }
};

// d^2, L001.
struct SquaredError {
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target;
        return jet_of_difference(d * d, T(2) * d, T(2));
    }
    // 2 d overflows where the gradient of the mean does not; a factor of 2 is exact on either side.
    template <class T> LOSSLIB_INLINE T scaled_grad(T input, T target, T scale) const {
        return (input - target) * (T(2) * scale);
    }
};

// d^2 / 2, L002.
struct HalfSquaredError {
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target;
        return jet_of_difference(T(0.5) * d * d, d, T(1));
    }
};

// d with its sign: the mean shows whether predictions are too large or too small.
struct BiasError {
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target;
        return jet_of_difference(d, select(d == d, T(1), d), T(0));
    }
};

// d^2 / 2 for |d| <= delta, delta (|d| - delta / 2) beyond, L004. The curvature at |d| = delta is that of the
// parabola.
struct Huber {
    double delta;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target, size = abs(d), limit = T(delta);
        const bool inside = size <= limit;
        return jet_of_difference(select(inside, T(0.5) * d * d, limit * (size - T(0.5 * delta))),
                                 select(inside, d, limit * sign(d)), select(inside, T(1), T(0)));
    }
};

// d^2 / (2 beta) for |d| < beta, |d| - beta / 2 beyond, L005; beta > 0.
struct SmoothL1 {
    double beta;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target, size = abs(d);
        const T slope = d * T(1.0 / beta);
        const bool inside = size < T(beta);
        return jet_of_difference(select(inside, T(0.5) * d * slope, size - T(0.5 * beta)),
                                 select(inside, slope, sign(d)), select(inside, T(1.0 / beta), T(0)));
    }
};

// Of the hyperbola with h(r) = sqrt(1 + r^2): the `value` d (h - 1) / r, which is h - 1 for d = r, the `slope` r / h and
// 1 / h. As d r / (1 + h) nothing cancels for small r, which is held where quotients have reached their limits, so that
// nothing overflows before the value does. Both quotients, r / (1 + h) and r / h, come from one division.
template <class T> struct Hyperbola {
    T value, slope, inverse_root;
};

template <class T> LOSSLIB_INLINE Hyperbola<T> hyperbola(T d, T ratio) {
    constexpr double most = std::is_same_v<T, float> ? 1e14 : 1e30;
    const T r = maximum(T(-most), minimum(T(most), ratio));
    const T root = sqrt(T(1) + r * r);
    const T quotient = T(1) / (root * (T(1) + root));
    return {d * (r * (root * quotient)), r * (quotient + root * quotient),
            T(1) / select(abs(ratio) > T(most), abs(ratio), root)};
}

// delta^2 (sqrt(1 + r^2) - 1) with r = d / delta, L006.
struct PseudoHuber {
    double delta;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target;
        const Hyperbola<T> unit = hyperbola(d, d * T(1.0 / delta));
        return jet_of_difference(T(delta) * unit.value, T(delta) * unit.slope,
                                 unit.inverse_root * unit.inverse_root * unit.inverse_root);
    }
};

// log(cosh(d)), L007. The curvature 1 - tanh(d)^2 = 4 e / (1 + e)^2, e = exp(-2 |d|), keeps its relative
// accuracy.
struct LogCoshError {
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target;
        const LogCosh<T> core = log_cosh(d);
        const T e = exp_nonpositive(T(-2) * abs(d));
        return jet_of_difference(core.value, core.tanh, T(4) * e / square(T(1) + e));
    }
};

// max(q (t - x), (q - 1)(t - x)), L008: q weighs predictions that are too low. Slope 0 at d = 0.
struct Quantile {
    double quantile;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target;
        const T below = T(-quantile), above = T(1.0 - quantile);
        return jet_of_difference(d * select(d < T(0), below, above),
                                 select(d > T(0), above, select(d < T(0), below, d)), T(0));
    }
};

// |tau - 1(t <= x)| d^2, L011. The curvature at d = 0 is that of t <= x.
struct Expectile {
    double expectile;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target;
        const T weight = select(d < T(0), T(expectile), T(1.0 - expectile));
        const T weighted = weight * d;
        return jet_of_difference(weighted * d, T(2) * weighted, T(2) * weight);
    }
};

// max(0, |d| - epsilon), L019. Slope 0 at |d| = epsilon.
struct EpsilonInsensitive {
    double epsilon;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target;
        const T excess = abs(d) - T(epsilon);
        return jet_of_difference(maximum(T(0), excess), select(excess <= T(0), T(0), sign(d)), T(0));
    }
};

// max(0, |d| - epsilon)^2, L020. Curvature 0 at |d| = epsilon.
struct SquaredEpsilonInsensitive {
    double epsilon;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target;
        const T excess = maximum(T(0), abs(d) - T(epsilon));
        return jet_of_difference(excess * excess, T(2) * excess * sign(d), select(excess > T(0), T(2), T(0)));
    }
};

// scale |d| / max(|t|, eps), L012. Slope 0 at d = 0; with respect to t, the floor's side at |t| = eps.
struct AbsolutePercentageError {
    double eps, scale;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T d = input - target;
        const T denominator = maximum(T(eps), abs(target));
        const T unit = T(scale) / denominator;
        const T value = abs(d) * unit, slope = sign(d) * unit;
        // d/dt of 1/|t|, as a factor: -1/t where the denominator is |t|, 0 on the floor. Above it the slope with respect to
        // t is -slope x / t, without the cancellation of its parts for x near 0.
        const bool above = abs(target) > T(eps);
        const T shrink = select(above, sign(target), T(0)) / denominator;
        const T slope2 = -(slope * select(above, input * shrink, T(1)));
        return {value, slope, T(0), slope2, T(-2) * shrink * slope2};
    }
};

// 2 |d| / max(|x| + |t|, eps), L013. Computed on halves, so that |x| + |t| does not overflow. Above the floor
// dL/dx = 4 |t| sign(d) / (|x| + |t|)^2 where x and t have the same sign and 0 where they differ (there the
// loss is 2); written with the sum of both cases, no term cancels. x = 0 takes the mean of the two sides, x =
// t gives 0.
struct SymmetricAbsolutePercentageError {
    double eps;
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T half_d = T(0.5) * input - T(0.5) * target;
        const T half_input = T(0.5) * abs(input), half_target = T(0.5) * abs(target);
        const T half_sum = half_input + half_target;
        const bool floored = half_sum <= T(0.5 * eps);
        const T inverse = T(1) / select(floored, T(0.5 * eps), half_sum);
        const T side = sign(half_d) * inverse;
        const T sharing = side * (T(1) + sign(input) * sign(target));
        const T slope = select(floored, side, sharing * (half_target * inverse));
        const T slope2 = select(floored, -side, -(sharing * (half_input * inverse)));
        const T bend = select(floored, T(0), inverse);
        // The largest share is exactly 2, at an infinite input too.
        const bool largest = (abs(half_d) == half_sum) & !floored;
        return {select(largest, T(2), T(2) * (abs(half_d) * inverse)), slope, -(slope * sign(input) * bend), slope2,
                -(slope2 * sign(target) * bend)};
    }
};

// (log1p(x) - log1p(t))^2, L015; x, t >= -1. The difference is one logarithm, log1p(|d| / (1 + min(x, t))),
// which neither cancels for x near t nor for x far from t. Its quotient can overflow only beside t = -1;
// there it is scaled by 2^-60.
struct SquaredLogarithmicError {
    template <class T> LOSSLIB_INLINE Jet<T> at(T input, T target) const {
        const T d = input - target, size = abs(d);
        const T base = T(1) + minimum(input, target);
        const bool far = (size > T(2e31)) & (base < T(2));
        const T ratio = size * select(far, T(0x1p-60), T(1)) / base;
        const T outside = T(-2);  // log1p(-2) is NaN
        const T distance = log1p(select(base < T(0), outside, select(d == T(0), size, ratio))) +
                           select(far, T(60 * 0.693147180559945309417), T(0));
        const T difference = select(d < T(0), -distance, distance);
        const T inverse = T(1) / (T(1) + input), inverse2 = T(1) / (T(1) + target);
        // At an infinite input the inverse is 0 and wins over the logarithm.
        return {distance * distance, T(2) * product_or_zero(inverse, difference),
                T(2) * product_or_zero(inverse, (T(1) - difference) * inverse),
                T(-2) * product_or_zero(inverse2, difference),
                T(2) * product_or_zero(inverse2, (T(1) + difference) * inverse2)};
    }
};

// |d|^q, q >= 1, L016. Slope 0 at d = 0; the curvature there is infinite for 1 < q < 2.
struct Lq {
    double q;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target, size = abs(d);
        const T lower = power(size, T(q - 1.0));
        return jet_of_difference(lower * size, T(q) * lower * sign(d),
                                 product_or_zero(T(q * (q - 1.0)), power(size, T(q - 2.0))));
    }
};

// c^2 (u - log1p(u)) with u = |d| / c, L017. For large u, c |d|: u itself may overflow. For small u, d^2 (1/2 - u/3): its
// square may underflow.
struct Fair {
    double c;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target, size = abs(d);
        const T u = size * T(1.0 / c);
        const T bounded = minimum(T(1e30), u);
        const T beyond = select(u > T(SWALLOWS_ONE), T(c) * size, T(c) * (T(c) * x_minus_log1p(u)));
        return jet_of_difference(select(u < T(1e-10), (T(0.5) - u * T(1.0 / 3.0)) * size * size, beyond),
                                 T(c) * sign(d) * (bounded / (T(1) + bounded)), square(T(1) / (T(1) + u)));
    }
};

// w log1p(|d| / curvature) for |d| < w, |d| - C beyond, C = w - w log1p(w / curvature) makes it continuous;
// L021. Slope 0 at d = 0, 1 at |d| = w.
struct Wing {
    double width, curvature;
    template <class T> LOSSLIB_INLINE JetOfDifference<T> at(T input, T target) const {
        const T d = input - target, size = abs(d);
        const double offset = width - width * std::log1p(width / curvature);
        const bool inside = size < T(width);
        const T inverse = T(1) / (size + T(curvature));
        const T slope = select(inside, T(width) * inverse, T(1));
        return jet_of_difference(select(inside, T(width) * log1p(size * T(1.0 / curvature)), size - T(offset)),
                                 slope * sign(d), select(inside, -(slope * inverse), T(0)));
    }
};

}  // namespace losslib
