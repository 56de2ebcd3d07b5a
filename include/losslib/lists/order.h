// The order of a list: by falling number, equal numbers by their place, so that every sort has one answer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace losslib {

struct Place {
    std::uint64_t key;
    std::ptrdiff_t item;
};

// A key that rises as x falls: -inf comes last but for NaN, whatever its sign. Adding 0 makes -0 the 0 that it equals.
inline std::uint64_t falling_key(double x) {
    if (x != x) return ~std::uint64_t(0);
    const double plain = x + 0.0;
    std::uint64_t bits;
    std::memcpy(&bits, &plain, sizeof bits);
    const std::uint64_t rising = bits >> 63 ? ~bits : bits | std::uint64_t(1) << 63;
    return ~rising;
}

// Up to so many items it takes less time to count for each of them how many come before it: comparisons without a branch.
constexpr std::ptrdiff_t counted_items = 256;

inline void sort_by_counting(const double* x, std::ptrdiff_t n, Place* places) {
    std::uint64_t keys[counted_items];
    for (std::ptrdiff_t i = 0; i < n; ++i) keys[i] = falling_key(x[i]);
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const std::uint64_t key = keys[i];
        std::int64_t before = 0;
        for (std::ptrdiff_t j = 0; j < i; ++j) before += keys[j] <= key;
        for (std::ptrdiff_t j = i + 1; j < n; ++j) before += keys[j] < key;
        places[before] = {key, i};
    }
}

// Fills places with the items of x by falling x. No two places are equal, so an unstable sort, which needs no memory of
// its own, has the answer of a stable one.
inline void sort_falling(const double* x, std::ptrdiff_t n, Place* places) {
    if (n <= counted_items) return sort_by_counting(x, n, places);
    for (std::ptrdiff_t i = 0; i < n; ++i) places[i] = {falling_key(x[i]), i};
    std::sort(places, places + n,
              [](const Place& a, const Place& b) { return a.key != b.key ? a.key < b.key : a.item < b.item; });
}

}  // namespace losslib
