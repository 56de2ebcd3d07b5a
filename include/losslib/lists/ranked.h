// The pairs of a list in the order of its scores, under LambdaRank's logistic loss, where all scores lie near each other.
//
// An item of better rank has no smaller score, so that the exponential of a pair, exp(-sigma (s_i - s_j)), is the quotient
// of those of its items, power_j / power_i, and no pair takes one. The three quotients of a pair (of the sigmoid, of the
// weight by distance, of the logarithm) come from one division.
#pragma once

#include <cstddef>

#include "losslib/core/float_format.h"
#include "losslib/simd/batch.h"

namespace losslib {

// sigma (s_i - s_j) up to which the quotient is as good as an exponential: its relative error is 32 roundings at most.
constexpr double near_scores = 32.0;

// Arrays by rank; whole batches can be read beyond the last item. The discount falls with the rank, and is larger than
// any other behind the last item, which meets nobody.
struct RankedItems {
    std::ptrdiff_t count;
    const double* score;
    const double* power;     // exp(-sigma (s_0 - s))
    const double* label;
    const double* gain;      // NULL: pairs do not differ in weight
    const double* discount;
    const double* weight;    // NULL: all 1
    double* grad;            // added to
    double* hess;
    double sigma;
    double least_bend;       // of sigmoid (1 - sigmoid)
    bool by_distance;        // weights are divided by 0.01 + the distance of the scores
};

// Sums over pairs of weight times loss, and of the slopes without their signs, in lanes.
struct RankedSums {
    Batch<double> value, slopes;
};

// The item that meets those behind it.
struct RankedItem {
    double score, inverse_power, label, gain, discount, weight;
};

LOSSLIB_INLINE void load_register(const double* source, Register<double>& values) {
    std::memcpy(&values, source, sizeof values);
}

// The pairs of an item with a register of others, and with the registers behind it.
template <int count>
LOSSLIB_INLINE void meet_register(const RankedItems& items, const RankedItem& own, std::ptrdiff_t j,
                                  Batch<double, count>& slope, Batch<double, count>& curvature,
                                  Batch<double, count>& value, Batch<double, count>& slopes) {
    using F = FloatFormat<double>;
    using Numbers = Register<double>;
    const Numbers none = {};
    Numbers score, power, label, discount;
    load_register(items.score + j, score);
    load_register(items.power + j, power);
    load_register(items.label + j, label);
    load_register(items.discount + j, discount);
    const Numbers step = own.discount - discount;
    const auto counts = (step > none) & (label != none + own.label);
    const auto preferred = none + own.label > label;

    Numbers weight = none + 1.0;
    if (items.gain != nullptr) {
        Numbers gain;
        load_register(items.gain + j, gain);
        const Numbers gap = own.gain - gain;
        weight = (gap < none ? none - gap : gap) * step;
    }
    if (items.weight != nullptr) {
        Numbers other;
        load_register(items.weight + j, other);
        weight = weight * (preferred ? none + own.weight : other);
    }
    const Numbers difference = counts ? own.score - score : none;
    const Numbers e = power * own.inverse_power;
    // log1p(e) as FloatFormat<double>::log1p_unit has it.
    const auto halve = e > none + 0.4142135623730950488;
    const Numbers f = halve ? (e - 1.0) * 0.5 : e;
    const Numbers one = 1.0 + e, two = 2.0 + f;
    Numbers larger, quotient;      // 1/(1 + e), f/(2 + f)
    if (items.by_distance) {
        const Numbers distance = 0.01 + difference, both = one * distance;
        const Numbers inverse = 1.0 / (both * two), of_both = inverse * two;
        weight = weight * (of_both * one);
        larger = of_both * distance;
        quotient = f * (inverse * both);
    } else {
        const Numbers inverse = 1.0 / (one * two);
        larger = inverse * two;
        quotient = f * (inverse * one);
    }
    weight = counts ? weight : none;
    const Numbers half_square = 0.5 * f * f;
    const Numbers tail = F::log_tail_of_quotient(quotient, half_square) + (halve ? none + F::ln2_lo : none);
    const Numbers bend = f - (half_square - tail) + (halve ? none + F::ln2_hi : none);
    const Numbers smaller = e * larger;
    const Numbers product = smaller * larger;
    const Numbers size = weight * (preferred ? smaller : larger);
    const Numbers by_own = preferred ? none - size : size;
    const Numbers bent = weight * (product < none + items.least_bend ? none + items.least_bend : product);
    value.part = value.part + weight * (preferred ? bend : bend + items.sigma * difference);
    slopes.part = slopes.part + size;
    slope.part = slope.part + by_own;
    curvature.part = curvature.part + bent;

    Numbers grad, hess;
    load_register(items.grad + j, grad);
    grad = grad - by_own;
    std::memcpy(items.grad + j, &grad, sizeof grad);
    load_register(items.hess + j, hess);
    hess = hess + bent;
    std::memcpy(items.hess + j, &hess, sizeof hess);
    if constexpr (count > 1) {
        meet_register(items, own, j + Batch<double>::width, slope.rest, curvature.rest, value.rest, slopes.rest);
    }
}

// Always in the same order.
LOSSLIB_INLINE double sum_of(const Batch<double>& batch) {
    double lane[16];
    batch.store(lane);
    for (int width = 8; width > 0; width /= 2)
        for (int k = 0; k < width; ++k) lane[k] += lane[k + width];
    return lane[0];
}

// The items of ranks first ... last - 1 meet all behind them. Derivatives are by sigma times the scores.
inline void add_ranked_pairs(const RankedItems& items, std::ptrdiff_t first, std::ptrdiff_t last, double* value,
                             double* slopes) {
    RankedSums sums;
    sums.value.load(value);
    sums.slopes.load(slopes);
    for (std::ptrdiff_t i = first; i < last; ++i) {
        RankedItem own;
        own.score = items.score[i];
        own.inverse_power = 1.0 / items.power[i];
        own.label = items.label[i];
        own.gain = items.gain != nullptr ? items.gain[i] : 0.0;
        own.discount = items.discount[i];
        own.weight = items.weight != nullptr ? items.weight[i] : 1.0;
        Batch<double> slope, curvature;
        slope.fill(0.0);
        curvature.fill(0.0);
        for (std::ptrdiff_t j = (i + 1) / 16 * 16; j < items.count; j += 16)
            meet_register(items, own, j, slope, curvature, sums.value, sums.slopes);
        items.grad[i] += sum_of(slope);
        items.hess[i] += sum_of(curvature);
    }
    sums.value.store(value);
    sums.slopes.store(slopes);
}

}  // namespace losslib
