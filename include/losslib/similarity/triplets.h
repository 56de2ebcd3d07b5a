// All triplets of a row: every positive against every negative under a hinge, without looking at each pair of them.
//
// A triplet counts if the negative lies below the bound of the positive, its distance plus the margin. Few bounds are
// compared with all negatives, sixteen of these at a time. Of more, the smaller side is sorted, each number of the other
// finds its place by halving, and running sums over the places say how many lie below, and how far: O(n log n).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "losslib/simd/batch.h"

namespace losslib {

// The least number of the type that is no less than x: y < x exactly if y < round_up(x), for every y of the type.
inline double round_up(double x, double) { return x; }
inline float round_up(double x, float) {
    const float near = static_cast<float>(x);
    return static_cast<double>(near) < x ? std::nextafter(near, std::numeric_limits<float>::infinity()) : near;
}

template <class T> inline bool has_nan(const T* x, std::ptrdiff_t n) {
    int found = 0;
    for (std::ptrdiff_t j = 0; j < n; ++j) found |= x[j] != x[j];
    return found != 0;
}

template <class T> inline bool has_finite(const T* x, std::ptrdiff_t n) {
    return std::any_of(x, x + n, [](T y) { return std::isfinite(y); });
}

// Bounds that are compared with all negatives.
constexpr std::ptrdiff_t few_bounds = 16;

struct Triplets {
    double value, count;

    // A distance is no number: neither is the value, and it counts.
    void miss() {
        value = std::numeric_limits<double>::quiet_NaN();
        count = std::max(count, 1.0);
    }
};

// How many of the sorted numbers are below x, or, with `equal`, no larger.
template <class T, bool equal> inline std::ptrdiff_t place_of(const T* sorted, std::ptrdiff_t n, T x) {
    const T* base = sorted;
    while (n > 1) {
        const std::ptrdiff_t half = n / 2;
        base += (equal ? base[half - 1] <= x : base[half - 1] < x) ? half : 0;
        n -= half;
    }
    return base - sorted + (n == 1 && (equal ? *base <= x : *base < x));
}

// The numbers of a batch below a limit stay in `chosen`, 0 in place of the others; `number` and `counts` grow by 1.
template <class T, int count>
LOSSLIB_INLINE void choose_below(const T* x, T limit, T* counts, Batch<T, count>& number, Batch<T, count>& chosen) {
    Register<T> numbers, found;
    const Register<T> none = {};
    std::memcpy(&numbers, x, sizeof numbers);
    std::memcpy(&found, counts, sizeof found);
    const auto below = numbers < none + limit;
    const Register<T> ones = below ? none + T(1) : none;
    chosen.part = below ? numbers : none;
    number.part = number.part + ones;
    found = found + ones;
    std::memcpy(counts, &found, sizeof found);
    if constexpr (count > 1)
        choose_below(x + Batch<T>::width, limit, counts + Batch<T>::width, number.rest, chosen.rest);
}

template <class T> inline double sum_of_batch(const Batch<T>& batch) {
    T lane[16];
    batch.store(lane);
    double total = 0.0;
    for (int k = 0; k < 16; ++k) total += static_cast<double>(lane[k]);
    return total;
}

// The negatives below a bound: how many, and the sum of bound - d over them. Adds 1 to the counts of each.
template <class T> inline Triplets meet_bound(const T* negatives, std::ptrdiff_t n, double bound, T* counts) {
    const T limit = round_up(bound, T());
    Batch<double> sum;
    Batch<T> number, chosen;
    sum.fill(0.0);
    number.fill(T(0));
    std::ptrdiff_t j = 0;
    for (; j + 16 <= n; j += 16) {
        choose_below(negatives + j, limit, counts + j, number, chosen);
        add_widened(sum, chosen);
    }
    double total = sum_of_batch(sum), found = sum_of_batch(number);
    for (; j < n; ++j)
        if (negatives[j] < limit) {
            total += static_cast<double>(negatives[j]);
            found += 1.0;
            counts[j] += T(1);
        }
    return {found > 0.0 ? found * bound - total : 0.0, found};
}

// Few positives at the places given, against all negatives of a row: `others` is infinite but at negatives. Fills the
// counts of the whole row.
template <class T> inline Triplets few_triplets(const T* d, const std::ptrdiff_t* places, std::ptrdiff_t p,
                                                const T* others, std::ptrdiff_t n, double margin, T* counts) {
    Triplets found = {0.0, 0.0};
    double of_positives[few_bounds];
    for (std::ptrdiff_t j = 0; j < n; ++j) counts[j] = T(0);
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        const Triplets more = meet_bound(others, n, static_cast<double>(d[places[i]]) + margin, counts);
        of_positives[i] = more.count;
        found.value += more.value;
        found.count += more.count;
    }
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        counts[places[i]] = static_cast<T>(of_positives[i]);
        if (d[places[i]] != d[places[i]] && has_finite(others, n)) found.miss();
    }
    if (p > 0 && has_nan(others, n)) found.miss();
    return found;
}

// `positives` and `negatives` are the distances, `order` has room for the smaller side, `sums` for two numbers more than
// twice that. Fills the counts of both: at how many triplets each has a part.
template <class T> inline Triplets many_triplets(const T* positives, std::ptrdiff_t p, const T* negatives,
                                                 std::ptrdiff_t n, double margin, T* of_positives, T* of_negatives,
                                                 T* order, double* sums) {
    Triplets found = {0.0, 0.0};
    if (p <= n) {
        std::ptrdiff_t m = 0;
        for (std::ptrdiff_t i = 0; i < p; ++i) {
            order[m] = round_up(static_cast<double>(positives[i]) + margin, T());
            m += positives[i] == positives[i];
        }
        std::sort(order, order + m);
        double* count = sums;
        double* sum = sums + m + 1;
        std::fill(sums, sums + 2 * (m + 1), 0.0);
        for (std::ptrdiff_t j = 0; j < n; ++j) {
            const bool number = negatives[j] == negatives[j];
            const std::ptrdiff_t k = number ? place_of<T, true>(order, m, negatives[j]) : m;
            of_negatives[j] = static_cast<T>(m - k);
            count[k] += 1.0;
            sum[k] += number ? static_cast<double>(negatives[j]) : 0.0;
        }
        for (std::ptrdiff_t k = 1; k < m; ++k) {
            count[k] += count[k - 1];
            sum[k] += sum[k - 1];
        }
        for (std::ptrdiff_t i = 0; i < p; ++i) {
            const double bound = static_cast<double>(positives[i]) + margin;
            of_positives[i] = T(0);
            if (bound != bound) continue;
            const std::ptrdiff_t k = place_of<T, false>(order, m, round_up(bound, T()));
            of_positives[i] = static_cast<T>(count[k]);
            if (count[k] > 0.0) found.value += count[k] * bound - sum[k];
            found.count += count[k];
        }
    } else {
        std::ptrdiff_t m = 0;
        for (std::ptrdiff_t j = 0; j < n; ++j) {
            order[m] = negatives[j];
            m += negatives[j] == negatives[j];
        }
        std::sort(order, order + m);
        double* sum = sums;  // of those before each place
        double* below = sums + m + 1;
        sum[0] = 0.0;
        for (std::ptrdiff_t k = 0; k < m; ++k) sum[k + 1] = sum[k] + static_cast<double>(order[k]);
        std::fill(below, below + m + 1, 0.0);
        for (std::ptrdiff_t i = 0; i < p; ++i) {
            const double bound = static_cast<double>(positives[i]) + margin;
            of_positives[i] = T(0);
            if (bound != bound) continue;
            const std::ptrdiff_t k = place_of<T, false>(order, m, round_up(bound, T()));
            of_positives[i] = static_cast<T>(k);
            below[k] += 1.0;
            if (k > 0) found.value += static_cast<double>(k) * bound - sum[k];
            found.count += static_cast<double>(k);
        }
        for (std::ptrdiff_t k = m; k > 0; --k) below[k - 1] += below[k];
        for (std::ptrdiff_t j = 0; j < n; ++j)
            of_negatives[j] = negatives[j] == negatives[j]
                                  ? static_cast<T>(below[place_of<T, false>(order, m, negatives[j]) + 1])
                                  : T(0);
    }
    if (p > 0 && n > 0 && (has_nan(positives, p) || has_nan(negatives, n))) found.miss();
    return found;
}

}  // namespace losslib
