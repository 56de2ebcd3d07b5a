// The Lovász extension of the Jaccard loss: a weighted sum of errors in descending order (Berman et al. 2018).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "losslib/core/inline.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// An error with its place. The bits of numbers >= 0 are in the order of the numbers; NaN comes before everything.
template <class T> struct PlacedError {
    Bits<T> key;
    std::uint32_t place;
};

template <class T> LOSSLIB_INLINE void set_key(PlacedError<T>& item, T error) { item.key = to_bits(error); }

// Descending by key, equal keys by place: a radix sort of 11 bits a round. Returns whichever of the two arrays holds the
// result. `spare` has as many entries as `items`.
template <class T>
inline PlacedError<T>* sort_descending(PlacedError<T>* items, PlacedError<T>* spare, std::ptrdiff_t count) {
    constexpr int digit = 11, buckets = 1 << digit;
    for (int shift = 0; shift < static_cast<int>(8 * sizeof(T)); shift += digit) {
        std::ptrdiff_t start[buckets] = {};
        for (std::ptrdiff_t i = 0; i < count; ++i) ++start[(items[i].key >> shift) & (buckets - 1)];
        if (start[(items[0].key >> shift) & (buckets - 1)] == count) continue;  // one digit for all: as for signs
        std::ptrdiff_t before = 0;
        for (int k = buckets - 1; k >= 0; --k) {
            const std::ptrdiff_t here = start[k];
            start[k] = before;
            before += here;
        }
        for (std::ptrdiff_t i = 0; i < count; ++i) spare[start[(items[i].key >> shift) & (buckets - 1)]++] = items[i];
        PlacedError<T>* swap = items;
        items = spare;
        spare = swap;
    }
    return items;
}

// Sum over the sorted errors of error * (J_k - J_{k-1}), with J_k = 1 - (total - sum t)/(total + sum (1 - t)); weight[place]
// becomes the difference. `mark` holds t by place.
template <class T>
inline double lovasz_sum(const PlacedError<T>* items, const T* mark, double total, T* weight, std::ptrdiff_t count) {
    double value = 0, right = 0, wrong = 0, before = 0;
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const std::uint32_t place = items[i].place;
        const double t = mark[place];
        right += t;
        wrong += 1 - t;
        const double jaccard = 1 - (total - right) / (total + wrong), step = jaccard - before;
        before = jaccard;
        T error;
        std::memcpy(&error, &items[i].key, sizeof error);
        if (error != 0) value += error * step;
        weight[place] = static_cast<T>(step);
    }
    return value;
}

}  // namespace losslib
