// Sixteen float64 sums side by side, held in registers.
//
// An array of sums that a loop indexes stays in memory, where each addition waits for the store before it: three times
// as slow. Vector types of GCC and Clang, as wide as the instruction set has registers, do not. The order of the
// additions is the same for every width.
#pragma once

#include <cstring>

#if defined(__AVX__)
#include <immintrin.h>
#endif

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
// GCC 12 widens half a vector at a time unless it is told the instruction.
LOSSLIB_INLINE void widen(const FloatVector& narrow, DoubleVector& values) {
#if defined(__AVX512F__)
    values = _mm512_maskz_cvtps_pd(0xff, narrow);  // the plain form draws a warning in the header of GCC 12
#elif defined(__AVX__)
    values = _mm256_cvtps_pd(narrow);
#else
    values = __builtin_convertvector(narrow, DoubleVector);
#endif
}
LOSSLIB_INLINE void load_vector(const float* source, DoubleVector& values) {
    FloatVector narrow;
    std::memcpy(&narrow, source, sizeof narrow);
    widen(narrow, values);
}

// x - y + eps in the type of the rows.
LOSSLIB_INLINE void load_difference(const double* x, const double* y, double eps, DoubleVector& values) {
    DoubleVector a, b;
    std::memcpy(&a, x, sizeof a);
    std::memcpy(&b, y, sizeof b);
    values = a - b + eps;
}
LOSSLIB_INLINE void load_difference(const float* x, const float* y, double eps, DoubleVector& values) {
    FloatVector a, b;
    std::memcpy(&a, x, sizeof a);
    std::memcpy(&b, y, sizeof b);
    a = a - b + static_cast<float>(eps);
    widen(a, values);
}
#else
struct DoubleVector {
    double lane[vector_width];
    LOSSLIB_INLINE DoubleVector operator+(const DoubleVector& other) const {
        DoubleVector result;
        for (int k = 0; k < vector_width; ++k) result.lane[k] = lane[k] + other.lane[k];
        return result;
    }
    LOSSLIB_INLINE DoubleVector operator*(const DoubleVector& other) const {
        DoubleVector result;
        for (int k = 0; k < vector_width; ++k) result.lane[k] = lane[k] * other.lane[k];
        return result;
    }
};

template <class T> LOSSLIB_INLINE void load_vector(const T* source, DoubleVector& values) {
    for (int k = 0; k < vector_width; ++k) values.lane[k] = static_cast<double>(source[k]);
}
template <class T> LOSSLIB_INLINE void load_difference(const T* x, const T* y, double eps, DoubleVector& values) {
    for (int k = 0; k < vector_width; ++k) values.lane[k] = static_cast<double>(x[k] - y[k] + static_cast<T>(eps));
}
#endif

// One vector and the rest of them: members with names of their own, which the compiler keeps in registers.
template <int count> struct VectorSums {
    DoubleVector sum = {};
    VectorSums<count - 1> rest;

    template <class T> LOSSLIB_INLINE void add(const T* x) {
        DoubleVector a;
        load_vector(x, a);
        sum = sum + a;
        rest.add(x + vector_width);
    }
    template <class T> LOSSLIB_INLINE void add_product(const T* x, const T* y) {
        DoubleVector a, b;
        load_vector(x, a);
        load_vector(y, b);
        sum = sum + a * b;
        rest.add_product(x + vector_width, y + vector_width);
    }
    // (x - y + eps)^2: the difference in T, its square in float64, where it neither overflows nor underflows for floats
    template <class T> LOSSLIB_INLINE void add_squared_difference(const T* x, const T* y, double eps) {
        DoubleVector a;
        load_difference(x, y, eps, a);
        sum = sum + a * a;
        rest.add_squared_difference(x + vector_width, y + vector_width, eps);
    }
    LOSSLIB_INLINE void store(double* lane) const {
        std::memcpy(lane, &sum, sizeof sum);
        rest.store(lane + vector_width);
    }
};

template <> struct VectorSums<0> {
    template <class T> LOSSLIB_INLINE void add(const T*) {}
    template <class T> LOSSLIB_INLINE void add_product(const T*, const T*) {}
    template <class T> LOSSLIB_INLINE void add_squared_difference(const T*, const T*, double) {}
    LOSSLIB_INLINE void store(double*) const {}
};

using SixteenSums = VectorSums<16 / vector_width>;

}  // namespace losslib
