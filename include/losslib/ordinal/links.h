// Cumulative links: -log(F(b) - F(a)) with b = threshold_y - x and a = threshold_(y-1) - x, either infinite at an end.
//
// With the density f and D = F(b) - F(a): d/dx = (f(b) - f(a))/D, d/db = -f(b)/D, d/da = f(a)/D, and
// d2/dx2 = (d/dx)^2 - (f'(b) - f'(a))/D. For a width b - a of 0 the value is infinite, the slope by x its limit.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "losslib/core/restrict.h"
#include "losslib/core/vecmath.h"
#include "losslib/risk/normal_tail.h"

namespace losslib {

struct LinkJet {
    double value, slope, curvature;  // by x
    double upper, lower;             // slopes by the two thresholds
};

// Value, slope, curvature and the slopes by the thresholds of a block of numbers.
struct LinkBlock {
    double *value, *slope, *curvature, *upper, *lower;
};

// b and a of scores by their class, 0 … count; a class beyond is taken for the nearest. A missing score has neither.
inline void distances(const double* LOSSLIB_RESTRICT x, const std::int64_t* LOSSLIB_RESTRICT target,
                      const double* LOSSLIB_RESTRICT thresholds, std::int64_t count, std::ptrdiff_t n,
                      double* LOSSLIB_RESTRICT b, double* LOSSLIB_RESTRICT a) {
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const std::int64_t above = target[i] < 0 ? 0 : target[i], below = above - 1;
        const double upper = thresholds[above < count ? above : count - 1] - x[i];
        const double lower = thresholds[below < 0 ? 0 : below < count ? below : count - 1] - x[i];
        const bool missing = x[i] != x[i];
        b[i] = select((above < count) | missing, upper, HUGE_VAL);
        a[i] = select((below >= 0) | missing, lower, -HUGE_VAL);
    }
}

// F = sigmoid: -log sigmoid(b) - log sigmoid(-a) - log(1 - exp(a - b)). With u = exp(-|b|), v = exp(-|a|) and the width
// w = b - a that is max(-b, 0) + max(a, 0) + log(1 + Q), Q = (u + v + uv + exp(-w))/(1 - exp(-w)), in which no sum cancels.
// Where 0 lies between a and b, exp(-w) is uv, with all its digits; elsewhere Q has terms near 1 or the value is not small.
// The slopes by the thresholds have another exponential, and are left out where upper is NULL.
inline void logit_terms(const double* LOSSLIB_RESTRICT b, const double* LOSSLIB_RESTRICT a, std::ptrdiff_t n,
                        LinkBlock out) {
    double* LOSSLIB_RESTRICT value = out.value;
    double* LOSSLIB_RESTRICT slope = out.slope;
    double* LOSSLIB_RESTRICT curvature = out.curvature;
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const bool low = b[i] < 0.0, high = a[i] > 0.0;
        const double u = exp_nonpositive(-abs(b[i])), v = exp_nonpositive(-abs(a[i]));
        const double minus = select(a[i] == b[i], 0.0, expm1(a[i] - b[i]));  // -1 for an infinite width
        // A width below 2^-1000 would make Q infinite before it is 0.
        const bool thin = minus > -0x1p-1000;
        const double inside = 0.0 - select(thin, minus * 0x1p100, minus);  // never -0
        const double q = (u + v + u * v + select(low | high, 1.0 + minus, u * v)) / inside;
        value[i] = select(low, -b[i], 0.0) + select(high, a[i], 0.0) + log1p(q) +
                   select(thin, 100.0 * FloatFormat<double>::ln2, 0.0);
        const double inverse = 1.0 / ((1.0 + u) * (1.0 + v));
        const double near_b = inverse * (1.0 + v), near_a = inverse * (1.0 + u);  // 1/(1 + u), 1/(1 + v)
        const double far_b = u * near_b, far_a = v * near_a;
        slope[i] = select(low, near_b, far_b) - select(a[i] < 0.0, far_a, near_a);
        curvature[i] = near_b * far_b + near_a * far_a;
    }
    if (out.upper == nullptr) return;
    double* LOSSLIB_RESTRICT upper = out.upper;
    double* LOSSLIB_RESTRICT lower = out.lower;
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const double shared = 1.0 / select(a[i] == b[i], 0.0, expm1(b[i] - a[i]));  // 0 for an infinite width
        upper[i] = -sigmoid(-b[i]) - shared;
        lower[i] = sigmoid(a[i]) + shared;
    }
}

// F = Phi: by quadrature or by tails, see NormalPiece, whose mean is (f(a) - f(b))/D.
inline LinkJet probit_link(double b, double a) {
    if (b == a) return {HUGE_VAL, -a, 1.0, -HUGE_VAL, HUGE_VAL};  // also of infinite scores
    if (std::isinf(a) && std::isinf(b)) return {0.0, 0.0, 0.0, 0.0, 0.0};
    if (std::isinf(b)) {
        const NormalTail tail = normal_tail(a);
        return {tail.minus_log, -tail.hazard, tail.hazard * tail.excess, 0.0, tail.hazard};
    }
    if (std::isinf(a)) {
        const NormalTail tail = normal_tail(-b);
        return {tail.minus_log, tail.hazard, tail.hazard * tail.excess, -tail.hazard, 0.0};
    }
    const NormalPiece piece = normal_piece(a, b, b - a);
    const double fb = std::exp(piece.minus_log - 0.5 * b * b - half_log_two_pi);
    const double fa = std::exp(piece.minus_log - 0.5 * a * a - half_log_two_pi);
    return {piece.minus_log, -piece.mean, piece.lost_variance, -fb, fa};
}

// F = 1 - exp(-exp(.)): with A = exp(a), B = exp(b), D = B - A and r = D/(exp(D) - 1) the slope is r - A.
inline LinkJet cloglog_link(double b, double a) {
    const double A = std::exp(a), B = std::exp(b);
    const double D = b == a ? 0.0 : std::isinf(b) ? HUGE_VAL : std::isinf(a) ? B : A * std::expm1(b - a);
    const double E = std::expm1(D);
    const double r = D == 0.0 ? 1.0 : std::isinf(E) ? 0.0 : D / E;
    const double rd = std::isinf(D) ? 0.0 : D * r;
    const double value = A - std::log(-std::expm1(-D));
    const double upper = std::isinf(b) || std::isinf(E) ? 0.0 : B / E;
    const double lower = std::isinf(a) ? 0.0 : A / -std::expm1(-D);
    return {value, r - A, r * r - r + A + rd, -upper, lower};
}

template <LinkJet (*link)(double, double)>
inline void link_terms(const double* b, const double* a, std::ptrdiff_t n, LinkBlock out) {
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const LinkJet jet = link(b[i], a[i]);
        out.value[i] = jet.value;
        out.slope[i] = jet.slope;
        out.curvature[i] = jet.curvature;
        if (out.upper == nullptr) continue;
        out.upper[i] = jet.upper;
        out.lower[i] = jet.lower;
    }
}

inline void probit_terms(const double* b, const double* a, std::ptrdiff_t n, LinkBlock out) {
    link_terms<probit_link>(b, a, n, out);
}

inline void cloglog_terms(const double* b, const double* a, std::ptrdiff_t n, LinkBlock out) {
    link_terms<cloglog_link>(b, a, n, out);
}

}  // namespace losslib
