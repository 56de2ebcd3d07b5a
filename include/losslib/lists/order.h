// The order of a list: by falling number, equal numbers by their place, so that every sort has one answer.
#pragma once

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

// A key that rises with x, NaN last.
inline std::uint64_t rising_key(double x) { return x != x ? ~std::uint64_t(0) : ~falling_key(x); }

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

constexpr int digit_bits = 8, digits = 64 / digit_bits, digit_values = 1 << digit_bits;

inline int digit_of(std::uint64_t key, int k) {
    return static_cast<int>(key >> k * digit_bits & static_cast<std::uint64_t>(digit_values - 1));
}

// By the digits of the keys, the least one first, between the places and as many behind them. Each pass keeps the order
// of equal digits; one in which all digits are equal, as in labels that are small integers, is left out.
inline void sort_by_digits(Place* places, std::ptrdiff_t n) {
    if (n < 2) return;
    std::ptrdiff_t start[digits][digit_values] = {};
    for (std::ptrdiff_t i = 0; i < n; ++i)
        for (int k = 0; k < digits; ++k) ++start[k][digit_of(places[i].key, k)];
    Place* from = places;
    Place* to = places + n;
    for (int k = 0; k < digits; ++k) {
        if (start[k][digit_of(from[0].key, k)] == n) continue;
        std::ptrdiff_t before = 0;
        for (int value = 0; value < digit_values; ++value) {
            const std::ptrdiff_t count = start[k][value];
            start[k][value] = before;
            before += count;
        }
        for (std::ptrdiff_t i = 0; i < n; ++i) to[start[k][digit_of(from[i].key, k)]++] = from[i];
        Place* sorted = to;
        to = from;
        from = sorted;
    }
    if (from != places) std::memcpy(places, from, static_cast<std::size_t>(n) * sizeof(Place));
}

// Fills the first n places with the items of x by falling x; there is room for 2 n.
inline void sort_falling(const double* x, std::ptrdiff_t n, Place* places) {
    if (n <= counted_items) return sort_by_counting(x, n, places);
    for (std::ptrdiff_t i = 0; i < n; ++i) places[i] = {falling_key(x[i]), i};
    sort_by_digits(places, n);
}

}  // namespace losslib
