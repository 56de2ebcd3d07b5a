// Sixteen float64 sums side by side, held in registers.
//
// An array of sums that a loop indexes stays in memory, where each addition waits for the store before it: three times
// as slow. Vector types of GCC and Clang, as wide as the instruction set has registers, do not. The order of the
// additions is the same for every width.
#pragma once

#include <cstring>

#include "losslib/core/inline.h"

namespace losslib {

#if defined(__AVX512F__)
constexpr int vector_width = 8;
#elif defined(__AVX__)
constexpr int vector_width = 4;
#else
constexpr int vector_width = 2;
#endif

#if defined(__GNUC__) || defined(__clang__)
using DoubleVector = double __attribute__((vector_size(8 * vector_width)));
using FloatVector = float __attribute__((vector_size(4 * vector_width)));

// Results by reference: a function that returns a vector draws a warning about its ABI, inlined or not.
LOSSLIB_INLINE void load_vector(const double* source, DoubleVector& values) {
    std::memcpy(&values, source, sizeof values);
}
LOSSLIB_INLINE void load_vector(const float* source, DoubleVector& values) {
    FloatVector narrow;
    std::memcpy(&narrow, source, sizeof narrow);
    values = __builtin_convertvector(narrow, DoubleVector);
}
#else
struct DoubleVector {
    double lane[vector_width];
    LOSSLIB_INLINE DoubleVector operator+(const DoubleVector& other) const {
        DoubleVector result;
        for (int k = 0; k < vector_width; ++k) result.lane[k] = lane[k] + other.lane[k];
        return result;
    }
    LOSSLIB_INLINE DoubleVector operator-(const DoubleVector& other) const {
        DoubleVector result;
        for (int k = 0; k < vector_width; ++k) result.lane[k] = lane[k] - other.lane[k];
        return result;
    }
    LOSSLIB_INLINE DoubleVector operator*(const DoubleVector& other) const {
        DoubleVector result;
        for (int k = 0; k < vector_width; ++k) result.lane[k] = lane[k] * other.lane[k];
        return result;
    }
    LOSSLIB_INLINE DoubleVector operator+(double number) const {
        DoubleVector result;
        for (int k = 0; k < vector_width; ++k) result.lane[k] = lane[k] + number;
        return result;
    }
};

template <class T> LOSSLIB_INLINE void load_vector(const T* source, DoubleVector& values) {
    for (int k = 0; k < vector_width; ++k) values.lane[k] = static_cast<double>(source[k]);
}
#endif

// One vector and the rest of them: members with names of their own, which the compiler keeps in registers.
template <int count> struct VectorSums {
    DoubleVector sum = {};
    VectorSums<count - 1> rest;

    template <class T> LOSSLIB_INLINE void add_product(const T* x, const T* y) {
        DoubleVector a, b;
        load_vector(x, a);
        load_vector(y, b);
        sum = sum + a * b;
        rest.add_product(x + vector_width, y + vector_width);
    }
    // (x - y + eps)^2
    template <class T> LOSSLIB_INLINE void add_squared_difference(const T* x, const T* y, double eps) {
        DoubleVector a, b;
        load_vector(x, a);
        load_vector(y, b);
        a = a - b + eps;
        sum = sum + a * a;
        rest.add_squared_difference(x + vector_width, y + vector_width, eps);
    }
    LOSSLIB_INLINE void store(double* lane) const {
        std::memcpy(lane, &sum, sizeof sum);
        rest.store(lane + vector_width);
    }
};

template <> struct VectorSums<0> {
    template <class T> LOSSLIB_INLINE void add_product(const T*, const T*) {}
    template <class T> LOSSLIB_INLINE void add_squared_difference(const T*, const T*, double) {}
    LOSSLIB_INLINE void store(double*) const {}
};

using SixteenSums = VectorSums<16 / vector_width>;

}  // namespace losslib
