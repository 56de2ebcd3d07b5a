// Numbers of a row in order, for losses that compare every positive with every negative.
#pragma once

#include <algorithm>
#include <cstddef>

namespace losslib {

// NaN has no place in an order: it goes to the end.
template <class T> inline void sort_numbers(T* numbers, std::ptrdiff_t count) {
    std::sort(numbers, numbers + count, [](T a, T b) { return a < b || (b != b && a == a); });
}

// How many of the sorted numbers are below a bound.
template <class T> inline std::ptrdiff_t count_below(const T* sorted, std::ptrdiff_t count, T bound) {
    return std::lower_bound(sorted, sorted + count, bound) - sorted;
}

}  // namespace losslib
