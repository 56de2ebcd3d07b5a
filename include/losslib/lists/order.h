// The order of a list: by falling number, equal numbers by their place, so that every sort has one answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "losslib/simd/batch.h"

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

// Labels are grades as a rule, whole numbers below so many: how many there are of each sorts them.
constexpr int grades = 32;

// False, and nothing is sorted, if one of the numbers is no grade.
inline bool sort_grades(const double* x, std::ptrdiff_t n, Place* places) {
    std::ptrdiff_t start[grades] = {};
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        if (!(x[i] >= 0.0 && x[i] < grades)) return false;
        const int grade = static_cast<int>(x[i]);
        if (grade != x[i]) return false;
        ++start[grade];
    }
    std::ptrdiff_t before = 0;
    for (int grade = grades; grade-- > 0;) {
        const std::ptrdiff_t count = start[grade];
        start[grade] = before;
        before += count;
    }
    for (std::ptrdiff_t i = 0; i < n; ++i) places[start[static_cast<int>(x[i])]++] = {falling_key(x[i]), i};
    return true;
}

// Up to so many items it takes less time to count for each of them how many are larger: comparisons without a branch.
constexpr std::ptrdiff_t counted_items = 256;

// Counts beside the numbers of a batch.
template <int count = 16 * sizeof(double) / sizeof(Register<double>)> struct CountBatch {
    RegisterWords<double> part;
    CountBatch<count - 1> rest;

    LOSSLIB_INLINE void clear() {
        part = RegisterWords<double>{};
        rest.clear();
    }
    LOSSLIB_INLINE void store(std::uint64_t* target) const {
        std::memcpy(target, &part, sizeof part);
        rest.store(target + sizeof part / sizeof *target);
    }
};

template <> struct CountBatch<0> {
    LOSSLIB_INLINE void clear() {}
    LOSSLIB_INLINE void store(std::uint64_t*) const {}
};

template <int count>
LOSSLIB_INLINE void count_larger(double other, const Batch<double, count>& own, CountBatch<count>& larger) {
    const RegisterWords<double> none = {};
    larger.part = larger.part + (own.part < Register<double>{} + other ? none + 1 : none);
    if constexpr (count > 1) count_larger(other, own.rest, larger.rest);
}

// None of the numbers is NaN.
inline void sort_by_counting(const double* x, std::ptrdiff_t n, Place* places) {
    double numbers[counted_items];
    std::uint64_t larger[counted_items];
    std::uint16_t passed[counted_items] = {};  // equal numbers that have a place
    std::memcpy(numbers, x, static_cast<std::size_t>(n) * sizeof *x);
    for (std::ptrdiff_t i = n; i < (n + 31) / 32 * 32; ++i) numbers[i] = 0.0;
    for (std::ptrdiff_t block = 0; block < n; block += 32) {
        Batch<double> low, high;
        CountBatch<> of_low, of_high;
        low.load(numbers + block);
        high.load(numbers + block + 16);
        of_low.clear();
        of_high.clear();
        for (std::ptrdiff_t j = 0; j < n; ++j) {
            count_larger(numbers[j], low, of_low);
            count_larger(numbers[j], high, of_high);
        }
        of_low.store(larger + block);
        of_high.store(larger + block + 16);
    }
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const std::uint64_t before = larger[i];
        places[before + passed[before]++] = {falling_key(x[i]), i};
    }
}

// By the digits of the keys, the least one first, between the places and as many behind them. Each pass keeps the order
// of equal digits; one in which all digits are equal is left out.
template <int digit_bits> inline void sort_by_digits_of(Place* places, std::ptrdiff_t n) {
    constexpr int digits = (64 + digit_bits - 1) / digit_bits, digit_values = 1 << digit_bits;
    const auto digit_of = [](std::uint64_t key, int k) { return key >> k * digit_bits & (digit_values - 1); };
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

// From so many items on, fewer passes are worth the counts of longer digits.
constexpr std::ptrdiff_t many_items = 1 << 16;

inline void sort_by_digits(Place* places, std::ptrdiff_t n) {
    if (n >= many_items) return sort_by_digits_of<11>(places, n);
    if (n > 1) sort_by_digits_of<8>(places, n);
}

// Fills the first n places with the items of x by falling x; there is room for 2 n.
inline void sort_falling(const double* x, std::ptrdiff_t n, Place* places) {
    if (sort_grades(x, n, places)) return;
    bool numbers = true;
    for (std::ptrdiff_t i = 0; i < n && n <= counted_items; ++i) numbers &= x[i] == x[i];
    if (n <= counted_items && numbers) return sort_by_counting(x, n, places);
    for (std::ptrdiff_t i = 0; i < n; ++i) places[i] = {falling_key(x[i]), i};
    sort_by_digits(places, n);
}

}  // namespace losslib
