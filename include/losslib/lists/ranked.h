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
    const double* power;  // exp(-sigma (s_0 - s))
    const double* label;
    const double* gain;  // NULL: pairs do not differ in weight
    const double* discount;
    const double* weight;  // NULL: all 1
    double* grad;          // added to
    double* hess;
    double sigma;
    double least_bend;  // of sigmoid (1 - sigmoid)
    bool by_distance;   // weights are divided by 0.01 + the distance of the scores
};

// Sums over pairs of weight times loss, and of the slopes without their signs, in lanes.
struct RankedSums {
    Batch<double> value, slopes;
};

// The item that meets those behind it.
struct RankedItem {
    std::ptrdiff_t rank;
    double score, inverse_power, label, gain, discount, weight;
};

LOSSLIB_INLINE void load_register(const double* source, Register<double>& values) {
    std::memcpy(&values, source, sizeof values);
}

// log1p(e) = 2 atanh(q) of the quotient q = e/(2 + e) for 0 <= e <= 1, to 2e-16 beside the error of the quotient.
LOSSLIB_INLINE void become_log1p(Register<double>& quotient) {
    const Register<double> square = quotient * quotient;
    quotient =
        quotient * (2.0 + square * polynomial(square, 0.6666666666666697, 0.39999999999560126, 0.28571428676661076,
                                              0.22222212557923443, 0.18182261108662331, 0.15373274871298387,
                                              0.1350234252984927, 0.1032266892507074, 0.16870701491612736));
}

// The pairs of an item with a register of others, and with the registers behind it. At an edge some of the others are
// not ranked behind the item, or there are none; registers without a pair are passed over.
template <bool by_distance, bool edge, int count>
LOSSLIB_INLINE void meet_register(const RankedItems& items, const RankedItem& own, std::ptrdiff_t j,
                                  Batch<double, count>& slope, Batch<double, count>& curvature,
                                  Batch<double, count>& value, Batch<double, count>& slopes) {
    using Numbers = Register<double>;
    constexpr int width = Batch<double>::width;
    if (!edge || (j + width > own.rank + 1 && j < items.count)) {
        const Numbers none = {};
        Numbers score, power, label, discount;
        load_register(items.score + j, score);
        load_register(items.power + j, power);
        load_register(items.label + j, label);
        load_register(items.discount + j, discount);
        const Numbers step = own.discount - discount, mine = none + own.label;
        const auto worse = label > mine;  // the item is not preferred
        const auto differs = label != mine;

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
            weight = weight * (worse ? other : none + own.weight);
        }
        if constexpr (edge) {
            weight = step > none ? weight : none;
        }
        Numbers difference = own.score - score;
        if constexpr (edge) {
            difference = step > none ? difference : none;
        }
        Numbers e = power * own.inverse_power;
        if constexpr (edge) {
            e = step > none ? e : none;
        }
        const Numbers one = 1.0 + e, two = 2.0 + e;
        Numbers larger, quotient;  // 1/(1 + e), e/(2 + e)
        if constexpr (by_distance) {
            const Numbers distance = 0.01 + difference, both = one * distance;
            const Numbers inverse = 1.0 / (both * two), of_both = inverse * two;
            weight = weight * (of_both * one);
            larger = of_both * distance;
            quotient = e * (inverse * both);
        } else {
            const Numbers inverse = 1.0 / (one * two);
            larger = inverse * two;
            quotient = e * (inverse * one);
        }
        weight = differs ? weight : none;
        become_log1p(quotient);
        const Numbers smaller = e * larger, product = smaller * larger, least = none + items.least_bend;
        const Numbers size = weight * (worse ? larger : smaller);
        const Numbers by_own = size * (worse ? none + 1.0 : none - 1.0);
        const Numbers bent = weight * (product < least ? least : product);
        value.part = value.part + weight * (worse ? quotient + items.sigma * difference : quotient);
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
    }
    if constexpr (count > 1) {
        meet_register<by_distance, edge>(items, own, j + width, slope.rest, curvature.rest, value.rest, slopes.rest);
    }
}

// Always in the same order.
LOSSLIB_INLINE double sum_of(const Batch<double>& batch) {
    double lane[16];
    batch.store(lane);
    for (int k = 0; k < 8; ++k) lane[k] += lane[k + 8];
    for (int k = 0; k < 4; ++k) lane[k] += lane[k + 4];
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

template <bool by_distance> inline void add_pairs_of_ranks(const RankedItems& given, std::ptrdiff_t first,
                                                           std::ptrdiff_t last, double* value, double* slopes) {
    const RankedItems items = given;  // which no store to the derivatives can be to
    RankedSums sums;
    sums.value.load(value);
    sums.slopes.load(slopes);
    for (std::ptrdiff_t i = first; i < last; ++i) {
        RankedItem own;
        own.rank = i;
        own.score = items.score[i];
        own.inverse_power = 1.0 / items.power[i];
        own.label = items.label[i];
        own.gain = items.gain != nullptr ? items.gain[i] : 0.0;
        own.discount = items.discount[i];
        own.weight = items.weight != nullptr ? items.weight[i] : 1.0;
        Batch<double> slope, curvature;
        slope.fill(0.0);
        curvature.fill(0.0);
        std::ptrdiff_t j = (i + 1) / 16 * 16;
        if (j <= i && j < items.count) {
            meet_register<by_distance, true>(items, own, j, slope, curvature, sums.value, sums.slopes);
            j += 16;
        }
        for (; j + 16 <= items.count; j += 16)
            meet_register<by_distance, false>(items, own, j, slope, curvature, sums.value, sums.slopes);
        if (j < items.count) meet_register<by_distance, true>(items, own, j, slope, curvature, sums.value, sums.slopes);
        items.grad[i] += sum_of(slope);
        items.hess[i] += sum_of(curvature);
    }
    sums.value.store(value);
    sums.slopes.store(slopes);
}

// The items of ranks first ... last - 1 meet all behind them. Derivatives are by sigma times the scores.
inline void add_ranked_pairs(const RankedItems& items, std::ptrdiff_t first, std::ptrdiff_t last, double* value,
                             double* slopes) {
    if (items.by_distance)
        add_pairs_of_ranks<true>(items, first, last, value, slopes);
    else
        add_pairs_of_ranks<false>(items, first, last, value, slopes);
}

}  // namespace losslib
