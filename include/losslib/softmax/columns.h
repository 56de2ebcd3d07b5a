// Sixteen lanes [class][lane], for losses of logits against a row of the same classes: sixteen samples of a tile, or one
// row, sixteen of its classes after the other. All sums, and all that is made of exponentials, are float64.
#pragma once

#include <cstddef>
#include <limits>

#include "losslib/core/inline.h"
#include "losslib/core/restrict.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"
#include "losslib/simd/batch.h"
#include "losslib/softmax/divergence.h"
#include "losslib/softmax/softmax.h"

namespace losslib {

constexpr int column_lanes = 16;
constexpr int column_classes = 128;  // of a tile
constexpr int soft_tile_lanes = 128, soft_tile_numbers = 4096;

using Lanes = double[column_lanes];

// Beside the logits of a tile: the target, and what belongs to its samples.
template <class T> struct SoftTile {
    T target[soft_tile_numbers];
    double scale[soft_tile_lanes];  // of derivatives
    double value[soft_tile_lanes];
    std::ptrdiff_t width;  // lanes that are computed
};

// How lanes belong together: those of a tile are samples of their own, those of a row are one sample, and each then gets
// what all of them have. `samples` is their number.
struct Apart {
    static constexpr int samples = column_lanes;
    static LOSSLIB_INLINE void spread(Lanes&) {}
    static LOSSLIB_INLINE void add(Lanes&) {}
    static LOSSLIB_INLINE void raise(Lanes&) {}
};
struct Together {
    static constexpr int samples = 1;
    static LOSSLIB_INLINE void spread(Lanes& lane) {
        const double first = lane[0];
        for (int j = 0; j < column_lanes; ++j) lane[j] = first;
    }
    static LOSSLIB_INLINE void add(Lanes& lane) {
        lane[0] = (((lane[0] + lane[8]) + (lane[4] + lane[12])) + ((lane[2] + lane[10]) + (lane[6] + lane[14]))) +
                  (((lane[1] + lane[9]) + (lane[5] + lane[13])) + ((lane[3] + lane[11]) + (lane[7] + lane[15])));
        spread(lane);
    }
    static LOSSLIB_INLINE void raise(Lanes& lane) {
        for (int half = column_lanes / 2; half > 0; half /= 2)
            for (int j = 0; j < half; ++j) lane[j] = select(lane[j + half] > lane[j], lane[j + half], lane[j]);
        spread(lane);
    }
};

// The largest logit. A NaN may be passed over: it comes back as the exponential of itself.
template <class T>
LOSSLIB_INLINE void largest_of(std::ptrdiff_t lanes, std::ptrdiff_t classes, const T* x, Lanes& top) {
    static_assert(column_lanes == 16, "a batch has sixteen lanes");
    Batch<T> even, odd, next;
    T largest[column_lanes];
    even.load(x);
    odd = even;
    std::ptrdiff_t c = 1;
    for (; c + 1 < classes; c += 2) {
        next.load(x + c * lanes);
        even.raise_to(next);
        next.load(x + (c + 1) * lanes);
        odd.raise_to(next);
    }
    if (c < classes) {
        next.load(x + c * lanes);
        even.raise_to(next);
    }
    even.raise_to(odd);
    even.store(largest);
    for (int j = 0; j < column_lanes; ++j) top[j] = double(largest[j]);
}

// exp(x) for x <= 0, and exactly 0 below the least normal number, as `become_exp` of simd/batch.h has it.
LOSSLIB_INLINE double exp_or_zero(double x) {
    using F = FloatFormat<double>;
    const double shifted = x * F::log2_e + (F::magic + F::bias);
    const double n = shifted - (F::magic + F::bias);
    const double r = (x - n * F::ln2_hi) - n * F::ln2_lo;
    const double scale = from_bits<double>(to_bits(shifted) << F::mantissa_bits);
    return select(x < F::exp_least_normal, 0.0, (1.0 + r * (1.0 + r * F::exp_tail(r))) * scale);
}

// e = exp((x - top) inverse), and its sum over the classes.
template <class T> LOSSLIB_INLINE void exponentials_of(std::ptrdiff_t lanes, std::ptrdiff_t classes, double inverse,
                                                       const T* x, const Lanes& top, double* e, Lanes& sum) {
    for (int j = 0; j < column_lanes; ++j) sum[j] = 0.0;
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
        const T* LOSSLIB_RESTRICT column = x + c * lanes;
        double* LOSSLIB_RESTRICT to = e + c * column_lanes;
        for (int j = 0; j < column_lanes; ++j) {
            to[j] = exp_or_zero((double(column[j]) - top[j]) * inverse);
            sum[j] += to[j];
        }
    }
}

// Divergence of softmax(x inverse) from softmax(t inverse), and in `grad`, which may be x, its gradient by x inverse,
// times `scale`. e and y are room for a number for each of `classes` times sixteen.
//
// Differences d of log-probabilities are differences of logits first: in equal rows nothing else is left of them.
template <class Lane, class Loss, class T>
LOSSLIB_INLINE void divergence_column(const Loss& given, std::ptrdiff_t lanes, std::ptrdiff_t classes, double inverse,
                                      const T* x, const T* t, T* grad, const double* scale, double* value, double* e,
                                      double* y) {
    const Loss loss = given;
    Lanes high, low, sum, sum_y, offset, expected = {}, total = {};
    largest_of(lanes, classes, x, high);
    largest_of(lanes, classes, t, low);
    Lane::raise(high);
    Lane::raise(low);
    exponentials_of(lanes, classes, inverse, x, high, e, sum);
    exponentials_of(lanes, classes, inverse, t, low, y, sum_y);
    Lane::add(sum);
    Lane::add(sum_y);
    for (int j = 0; j < Lane::samples; ++j) {
        offset[j] = log(sum[j]) - log(sum_y[j]);
        sum[j] = 1.0 / sum[j];
        sum_y[j] = 1.0 / sum_y[j];
    }
    Lane::spread(offset);
    Lane::spread(sum);
    Lane::spread(sum_y);
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
        const T* LOSSLIB_RESTRICT column_x = x + c * lanes;
        const T* LOSSLIB_RESTRICT column_t = t + c * lanes;
        double* LOSSLIB_RESTRICT column_p = e + c * column_lanes;
        double* LOSSLIB_RESTRICT column_y = y + c * column_lanes;
        for (int j = 0; j < column_lanes; ++j) {
            const double d = ((double(column_x[j]) - high[j]) - (double(column_t[j]) - low[j])) * inverse - offset[j];
            const double p = column_p[j] * sum[j];
            const DivergenceTerm term = loss.at(p, column_y[j] * sum_y[j], d);
            total[j] += term.value;
            column_y[j] = term.slope;
            if constexpr (!Loss::is_linear) {
                column_p[j] = p;
                expected[j] += p * term.slope;
            }
        }
    }
    Lane::add(total);
    for (int j = 0; j < Lane::samples; ++j) value[j] = select(total[j] < 0.0, 0.0, total[j]);
    if (grad == nullptr) return;
    Lane::add(expected);
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
        const double* LOSSLIB_RESTRICT column_p = e + c * column_lanes;
        const double* LOSSLIB_RESTRICT part = y + c * column_lanes;
        T* LOSSLIB_RESTRICT to = grad + c * lanes;
        for (int j = 0; j < column_lanes; ++j) {
            if constexpr (Loss::is_linear) {
                to[j] = T(part[j] * scale[j]);
            } else {
                to[j] = T(product_or_zero(column_p[j], part[j] - expected[j]) * scale[j]);
            }
        }
    }
}

// The samples of a tile: x becomes the gradient.
template <class Loss, class T>
inline void divergence_tile(const Loss& loss, std::ptrdiff_t lanes, std::ptrdiff_t classes, std::ptrdiff_t width,
                            double inverse, T* x, const T* t, const double* scale, bool want_grad, double* value) {
    double e[column_lanes * column_classes], y[column_lanes * column_classes];
    for (std::ptrdiff_t j = 0; j < width; j += column_lanes)
        divergence_column<Apart>(loss, lanes, classes, inverse, x + j, t + j, want_grad ? x + j : nullptr, scale + j,
                                 value + j, e, y);
}

// A row of `classes`, and room for the next multiple of sixteen everywhere; for twice that in `work`. The gradient may be
// NULL.
template <class Loss, class T> inline double divergence_row(const Loss& loss, std::ptrdiff_t classes, double inverse,
                                                            T* x, T* t, T* grad, double scale, double* work) {
    const std::ptrdiff_t columns = (classes + column_lanes - 1) / column_lanes, room = columns * column_lanes;
    Lanes scales, value;
    for (int j = 0; j < column_lanes; ++j) scales[j] = scale;
    for (std::ptrdiff_t c = classes; c < room; ++c) x[c] = t[c] = -std::numeric_limits<T>::infinity();
    divergence_column<Together>(loss, column_lanes, columns, inverse, x, t, grad, scales, value, work, work + room);
    return value[0];
}

// ---- losses of a distribution of classes ------------------------------------------------------------------------

// What a class adds to the value, and the derivative of that by its log-probability: d/dx_k = slope_k - p_k sum(slope).
struct SoftTerm {
    double value, slope;
};

// t f(lp) for any pick f, where t is the target times the weight of the class: 0 leaves the class out.
template <class Pick> LOSSLIB_INLINE SoftTerm soft_term(const Pick& loss, double lp, double, double, double weighted) {
    const Picked<double> jet = loss.at(lp);
    return {product_or_zero(weighted, jet.value), product_or_zero(weighted, jet.slope)};
}

// Cross entropy and its reverse, which is no sum of t f(lp).
LOSSLIB_INLINE SoftTerm soft_term(const SymmetricPick& loss, double lp, double p, double t, double weighted) {
    const double reverse = loss.beta * p * reverse_cost(t), of_target = loss.alpha * weighted;
    return {reverse - product_or_zero(of_target, lp), reverse - of_target};
}

// What the options make of a target, and the z-loss of cross entropy.
struct SoftOptions {
    const double* weight;  // by class, or NULL
    double keep, rest;     // a target t counts as keep t + rest
    double z_loss;
};

template <class Pick, class T> LOSSLIB_INLINE void soft_column(const Pick& given, const SoftOptions& options,
                                                               std::ptrdiff_t lanes, std::ptrdiff_t classes, T* x,
                                                               const T* t, const double* scale, bool want_grad,
                                                               double* value, double* e, double* slope) {
    const Pick loss = given;
    Lanes high, sum, log_sum, total = {}, mass = {};
    largest_of(lanes, classes, x, high);
    exponentials_of(lanes, classes, 1.0, x, high, e, sum);
    for (int j = 0; j < column_lanes; ++j) {
        log_sum[j] = log(sum[j]);
        sum[j] = 1.0 / sum[j];
    }
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
        const T* LOSSLIB_RESTRICT column_x = x + c * lanes;
        const T* LOSSLIB_RESTRICT column_t = t + c * lanes;
        double* LOSSLIB_RESTRICT column_p = e + c * column_lanes;
        double* LOSSLIB_RESTRICT column_slope = slope + c * column_lanes;
        const double weight = options.weight == nullptr ? 1.0 : options.weight[c];
        const double keep = options.keep, rest = options.rest;
        for (int j = 0; j < column_lanes; ++j) {
            const double target = double(column_t[j]) * keep + rest;
            column_p[j] *= sum[j];
            const SoftTerm term =
                soft_term(loss, (double(column_x[j]) - high[j]) - log_sum[j], column_p[j], target, target * weight);
            total[j] += term.value;
            mass[j] += term.slope;
            column_slope[j] = term.slope;
        }
    }
    if (options.z_loss > 0.0) {
        for (int j = 0; j < column_lanes; ++j) {
            const double lse = high[j] + log_sum[j];
            total[j] += options.z_loss * lse * lse;
            mass[j] -= 2.0 * options.z_loss * lse;
        }
    }
    for (int j = 0; j < column_lanes; ++j) value[j] = total[j];
    if (!want_grad) return;
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
        const double* LOSSLIB_RESTRICT column_p = e + c * column_lanes;
        const double* LOSSLIB_RESTRICT column_slope = slope + c * column_lanes;
        T* LOSSLIB_RESTRICT to = x + c * lanes;
        for (int j = 0; j < column_lanes; ++j) to[j] = T((column_slope[j] - column_p[j] * mass[j]) * scale[j]);
    }
}

// The samples of a tile: x becomes the gradient.
template <class Pick, class T> inline void soft_tile(const Pick& loss, const SoftOptions& options, std::ptrdiff_t lanes,
                                                     std::ptrdiff_t classes, std::ptrdiff_t width, T* x, const T* t,
                                                     const double* scale, bool want_grad, double* value) {
    double e[column_lanes * column_classes], slope[column_lanes * column_classes];
    for (std::ptrdiff_t j = 0; j < width; j += column_lanes)
        soft_column(loss, options, lanes, classes, x + j, t + j, scale + j, want_grad, value + j, e, slope);
}

}  // namespace losslib
