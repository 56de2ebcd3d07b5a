// Losses of ordered classes for samples that lie side by side, in a tile [class][lane].
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "losslib/core/restrict.h"
#include "losslib/core/vecmath.h"

namespace losslib {

constexpr int ordered_lanes = 128;
constexpr int ordered_tile = 4096;  // numbers

// Numbers of `width` samples in a tile [class][lane], all in float64.
struct OrderedTile {
    double p[ordered_tile];     // logits, exponentials, then probabilities
    double part[ordered_tile];  // of the slope, then the gradient
    double largest[ordered_lanes], top[ordered_lanes], second[ordered_lanes], others[ordered_lanes];
    double top_p[ordered_lanes], scale_p[ordered_lanes], share[ordered_lanes], odds[ordered_lanes];
};

// -sum_c |c - y|^alpha log(1 - p_c): Polat et al. 2022. work.p are the logits, work.part becomes the gradient, times `scale`.
//
// The probability of the largest class may round to 1. What it lacks is made of all others, whose exponentials are taken
// from the second largest logit; 1 - p_c of another class, whose p_c is 1/2 at most, is taken from q = p_c / (1 - p_c),
// as -log(1 - p_c) = log(1 + q). weights[c - y + classes - 1] = |c - y|^alpha, and 0 for c = y.
inline void class_distances(std::ptrdiff_t lanes, std::ptrdiff_t classes, std::ptrdiff_t width,
                            const double* LOSSLIB_RESTRICT weights, const std::int64_t* LOSSLIB_RESTRICT target,
                            const double* LOSSLIB_RESTRICT scale, bool want_grad, double* LOSSLIB_RESTRICT value,
                            OrderedTile& work) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    double* LOSSLIB_RESTRICT largest = work.largest;
    double* LOSSLIB_RESTRICT top = work.top;
    double* LOSSLIB_RESTRICT second = work.second;
    double* LOSSLIB_RESTRICT others = work.others;
    double* LOSSLIB_RESTRICT top_p = work.top_p;
    double* LOSSLIB_RESTRICT scale_p = work.scale_p;
    double* LOSSLIB_RESTRICT share = work.share;
    double* LOSSLIB_RESTRICT odds = work.odds;
    const double* LOSSLIB_RESTRICT centre = weights + (classes - 1);
    for (std::ptrdiff_t j = 0; j < width; ++j) {
        largest[j] = work.p[j];
        top[j] = others[j] = odds[j] = 0.0;
        second[j] = -inf;
    }
    for (std::ptrdiff_t c = 1; c < classes; ++c) {
        const double* LOSSLIB_RESTRICT column = work.p + c * lanes;
        for (std::ptrdiff_t j = 0; j < width; ++j) {
            const double x = column[j];
            const bool above = x > largest[j];
            second[j] = select(above, largest[j], select(x > second[j], x, second[j]));
            top[j] = select(above, double(c), top[j]);
            largest[j] = select(above, x, largest[j]);
        }
    }
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
        double* LOSSLIB_RESTRICT p = work.p + c * lanes;
        for (std::ptrdiff_t j = 0; j < width; ++j) {
            const double e = exp_nonpositive(p[j] - select(second[j] == -inf, 0.0, second[j]));
            p[j] = select(top[j] == double(c), 0.0, e);
            others[j] += p[j];
        }
    }
    for (std::ptrdiff_t j = 0; j < width; ++j) {
        const double weight = centre[std::int64_t(top[j]) - target[j]];
        const double gap = second[j] - largest[j];
        const double down = exp_nonpositive(gap);
        const double rest = others[j] * down;  // of all others over the largest
        top_p[j] = 1.0 / (1.0 + rest);
        scale_p[j] = down * top_p[j];
        value[j] = product_or_zero(weight, log1p(rest) - (gap + log(others[j])));
        share[j] = product_or_zero(weight, top_p[j] / others[j]);
    }
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
        double* LOSSLIB_RESTRICT p = work.p + c * lanes;
        double* LOSSLIB_RESTRICT part = work.part + c * lanes;
        for (std::ptrdiff_t j = 0; j < width; ++j) {
            const bool is_top = top[j] == double(c);
            const double weight = centre[c - target[j]], e = p[j];
            const double other_p = e * scale_p[j];
            const double q = select(is_top, 0.0, other_p / (1.0 - other_p));
            value[j] += weight * log1p_unit(q);
            odds[j] += weight * q;
            p[j] = select(is_top, top_p[j], other_p);
            part[j] = weight * (p[j] + p[j] * q) - select(is_top, 0.0, share[j] * e);
        }
    }
    if (!want_grad) return;
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
        const double* LOSSLIB_RESTRICT p = work.p + c * lanes;
        double* LOSSLIB_RESTRICT part = work.part + c * lanes;
        for (std::ptrdiff_t j = 0; j < width; ++j) part[j] = (part[j] - p[j] * odds[j]) * scale[j];
    }
}

// sum_k |m_k|^r of m_k = sum_{c <= k} (p_c - [c = y]), or its mean over the classes to the power 1/r: Hou et al. 2016.
// work.p are the logits, work.part becomes the gradient, times `scale`.
inline void earth_movers(std::ptrdiff_t lanes, std::ptrdiff_t classes, std::ptrdiff_t width, double r, bool root,
                         const std::int64_t* LOSSLIB_RESTRICT target, const double* LOSSLIB_RESTRICT scale,
                         bool want_grad, double* LOSSLIB_RESTRICT value, OrderedTile& work) {
    double* LOSSLIB_RESTRICT largest = work.largest;
    double* LOSSLIB_RESTRICT share = work.share;
    double* LOSSLIB_RESTRICT moved = work.others;
    double* LOSSLIB_RESTRICT slope = work.second;
    double* LOSSLIB_RESTRICT expected = work.odds;
    double* LOSSLIB_RESTRICT factor = work.scale_p;
    double* LOSSLIB_RESTRICT unit = work.top;  // of the |m_k| whose powers are added
    for (std::ptrdiff_t j = 0; j < width; ++j) {
        largest[j] = work.p[j];
        share[j] = moved[j] = slope[j] = expected[j] = value[j] = unit[j] = 0.0;
    }
    for (std::ptrdiff_t c = 1; c < classes; ++c) {
        const double* LOSSLIB_RESTRICT column = work.p + c * lanes;
        for (std::ptrdiff_t j = 0; j < width; ++j) {
            largest[j] = select(column[j] > largest[j], column[j], largest[j]);
        }
    }
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
        double* LOSSLIB_RESTRICT p = work.p + c * lanes;
        for (std::ptrdiff_t j = 0; j < width; ++j) {
            p[j] = exp_nonpositive(p[j] - largest[j]);
            share[j] += p[j];
        }
    }
    for (std::ptrdiff_t j = 0; j < width; ++j) share[j] = 1.0 / share[j];
    if (root && r != 2.0) {  // the power of the largest itself may be too small for a number
        for (std::ptrdiff_t c = 0; c < classes; ++c) {
            double* LOSSLIB_RESTRICT p = work.p + c * lanes;
            for (std::ptrdiff_t j = 0; j < width; ++j) p[j] *= share[j];
        }
        for (std::ptrdiff_t c = 0; c < classes; ++c) {
            const double* LOSSLIB_RESTRICT p = work.p + c * lanes;
            for (std::ptrdiff_t j = 0; j < width; ++j) {
                moved[j] += p[j] - select(target[j] == c, 1.0, 0.0);
                unit[j] = select(abs(moved[j]) > unit[j], abs(moved[j]), unit[j]);
            }
        }
        for (std::ptrdiff_t j = 0; j < width; ++j) {
            moved[j] = 0.0;
            share[j] = 1.0;
        }
    }
    for (std::ptrdiff_t j = 0; j < width; ++j) unit[j] = select(unit[j] > 0.0, unit[j], 1.0);
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
        double* LOSSLIB_RESTRICT p = work.p + c * lanes;
        double* LOSSLIB_RESTRICT part = work.part + c * lanes;
        for (std::ptrdiff_t j = 0; j < width; ++j) {
            p[j] *= share[j];
            moved[j] += p[j] - select(target[j] == c, 1.0, 0.0);
        }
        if (r == 2.0) {
            for (std::ptrdiff_t j = 0; j < width; ++j) {
                value[j] += moved[j] * moved[j];
                part[j] = 2.0 * moved[j];
            }
        } else {
            for (std::ptrdiff_t j = 0; j < width; ++j) {
                const double far = abs(moved[j]) / unit[j];
                value[j] += power(far, r);
                part[j] = r * select(far == 0.0, 0.0, power(far, r - 1.0)) * sign(moved[j]);
            }
        }
    }
    const double count = double(classes);
    for (std::ptrdiff_t j = 0; j < width; ++j) factor[j] = scale[j];
    if (root) {
        for (std::ptrdiff_t j = 0; j < width; ++j) {
            const double mean = value[j] / count;
            factor[j] *= select(mean == 0.0, 0.0, power(mean, 1.0 / r - 1.0) / (r * count));
            value[j] = unit[j] * power(mean, 1.0 / r);
        }
    }
    if (!want_grad) return;
    for (std::ptrdiff_t c = classes - 1; c >= 0; --c) {
        const double* LOSSLIB_RESTRICT p = work.p + c * lanes;
        double* LOSSLIB_RESTRICT part = work.part + c * lanes;
        for (std::ptrdiff_t j = 0; j < width; ++j) {
            slope[j] += part[j];
            part[j] = slope[j];
            expected[j] += p[j] * slope[j];
        }
    }
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
        const double* LOSSLIB_RESTRICT p = work.p + c * lanes;
        double* LOSSLIB_RESTRICT part = work.part + c * lanes;
        for (std::ptrdiff_t j = 0; j < width; ++j) part[j] = p[j] * (part[j] - expected[j]) * factor[j];
    }
}

}  // namespace losslib
