// Cumulative links: -log(F(b) - F(a)) with b = threshold_y - x and a = threshold_(y-1) - x, either infinite at an end.
//
// With the density f and D = F(b) - F(a): d/dx = (f(b) - f(a))/D, d/db = -f(b)/D, d/da = f(a)/D, and
// d2/dx2 = (d/dx)^2 - (f'(b) - f'(a))/D. For a width b - a of 0 the value is infinite, the slope by x its limit.
#pragma once

#include <cmath>
#include <cstddef>

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

// F = sigmoid: -log sigmoid(b) - log sigmoid(-a) - log(1 - exp(a - b)); nothing in it cancels. The slopes by the
// thresholds have another exponential, and are left out where upper is NULL.
inline void logit_terms(const double* b, const double* a, std::ptrdiff_t n, LinkBlock out) {
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const Logistic<double> zb = logistic(b[i]), za = logistic(a[i]);
        const double inside = -expm1(a[i] - b[i]);  // 1 for an infinite width
        out.value[i] = zb.softplus_neg + za.softplus - log(inside);
        out.slope[i] = zb.sigma_neg - za.sigma;
        out.curvature[i] = zb.sigma * zb.sigma_neg + za.sigma * za.sigma_neg;
    }
    if (out.upper == nullptr) return;
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const double shared = 1.0 / expm1(b[i] - a[i]);  // 0 for an infinite width
        out.upper[i] = -logistic(b[i]).sigma_neg - shared;
        out.lower[i] = logistic(a[i]).sigma + shared;
    }
}

// F = Phi: by quadrature or by tails, see NormalPiece, whose mean is (f(a) - f(b))/D.
inline LinkJet probit_link(double b, double a) {
    if (std::isinf(a) && std::isinf(b)) return {0.0, 0.0, 0.0, 0.0, 0.0};
    if (std::isinf(b)) {
        const NormalTail tail = normal_tail(a);
        return {tail.minus_log, -tail.hazard, tail.hazard * tail.excess, 0.0, tail.hazard};
    }
    if (std::isinf(a)) {
        const NormalTail tail = normal_tail(-b);
        return {tail.minus_log, tail.hazard, tail.hazard * tail.excess, -tail.hazard, 0.0};
    }
    if (b == a) return {HUGE_VAL, -a, 1.0, -HUGE_VAL, HUGE_VAL};
    const NormalPiece piece = normal_piece(a, b, b - a);
    const double fb = std::exp(piece.minus_log - 0.5 * b * b - half_log_two_pi);
    const double fa = std::exp(piece.minus_log - 0.5 * a * a - half_log_two_pi);
    return {piece.minus_log, -piece.mean, piece.lost_variance, -fb, fa};
}

// F = 1 - exp(-exp(.)): with A = exp(a), B = exp(b), D = B - A and r = D/(exp(D) - 1) the slope is r - A.
inline LinkJet cloglog_link(double b, double a) {
    const double A = std::exp(a), B = std::exp(b);
    const double D = std::isinf(b) ? HUGE_VAL : std::isinf(a) ? B : A * std::expm1(b - a);
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
