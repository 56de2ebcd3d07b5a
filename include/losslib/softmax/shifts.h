// Cross entropy of shifted logits, x' = scale x + B[target, class]: what a loss sees of one logit. B is never stored as a
// table; a class brings one number, `offset`. The loops are in pyx/softmax/shifts.pxd.
#pragma once

#include <cmath>

#include "losslib/core/inline.h"

namespace losslib {

// A logit as the loss sees it, and the slope of that.
struct Shifted {
    double value, slope;
};

// x + offset for every class: logit adjustment.
struct ClassShift {
    LOSSLIB_INLINE Shifted target(double x, double offset) const { return {x + offset, 1.0}; }
    LOSSLIB_INLINE Shifted other(double x, double offset) const { return {x + offset, 1.0}; }
};

// scale (x - offset) for the target's class, scale x for the others: LDAM.
struct TargetShift {
    double scale;
    LOSSLIB_INLINE Shifted target(double x, double offset) const { return {scale * (x - offset), scale}; }
    LOSSLIB_INLINE Shifted other(double x, double) const { return {scale * x, scale}; }
};

// scale (cos(margin1 theta + margin2) - margin3) for the target's class, scale x for the others, x = cos(theta).
struct AngularShift {
    double scale, margin1, margin2, margin3, monotone;

    // The sine is kept above sqrt(1e-7): at |x| = 1, where d(theta)/dx is infinite, the slope is the one just inside.
    LOSSLIB_INLINE Shifted cosine(double x) const {
        constexpr double pi = 3.14159265358979323846, least = 1e-7;
        const double c = x > 1.0 ? 1.0 : x < -1.0 ? -1.0 : x;
        const double square = (1.0 - c) * (1.0 + c);
        const double sine = std::sqrt(square > least ? square : least);
        if (margin1 == 1.0) {
            const double cosine2 = std::cos(margin2), sine2 = std::sin(margin2);
            // Beyond theta + margin2 = pi the cosine would rise again: a line goes on falling.
            if (monotone != 0.0 && c < -cosine2) return {c - margin2 * sine2, 1.0};
            if (margin2 == 0.0) return {c, 1.0};
            return {c * cosine2 - sine * sine2, cosine2 + sine2 * c / sine};
        }
        const double angle = margin1 * std::acos(c) + margin2;
        // The angle that belongs to the sine above, for a slope without 0/0.
        const double inner = square > least ? angle : margin1 * std::atan2(sine, c) + margin2;
        if (monotone == 0.0) return {std::cos(angle), margin1 * std::sin(inner) / sine};
        // (-1)^k cos(angle) - 2 k falls on through all periods.
        const double turns = std::floor(angle / pi), turns_inside = std::floor(inner / pi);
        const double sign = std::fmod(turns, 2.0) == 0.0 ? 1.0 : -1.0;
        const double sign_inside = std::fmod(turns_inside, 2.0) == 0.0 ? 1.0 : -1.0;
        return {sign * std::cos(angle) - 2.0 * turns, margin1 * sign_inside * std::sin(inner) / sine};
    }

    LOSSLIB_INLINE Shifted target(double x, double) const {
        const Shifted bent = cosine(x);
        return {scale * (bent.value - margin3), scale * bent.slope};
    }
    LOSSLIB_INLINE Shifted other(double x, double) const { return {scale * x, scale}; }
};

// Seesaw loss (Wang et al. 2021): x_c + p log min(1, n_c/n_y) + q log max(1, pi_c/max(pi_y, eps)) for c != y; the
// offsets are log n_c, and pi is the softmax of the row.
struct Seesaw {
    double p, q, eps;
    LOSSLIB_INLINE double shift(double log_count, double target_count, double log_share, double target_share) const {
        const double fewer = log_count - target_count, more = log_share - target_share;
        return (fewer < 0.0 ? p * fewer : 0.0) + (more > 0.0 ? q * more : 0.0);
    }
};

}  // namespace losslib
