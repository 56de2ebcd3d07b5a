// Sixteen numbers side by side, held in registers: what the loops over rows of classes are made of.
//
// A batch is one, two or four registers, whatever the instruction set has, so that results do not depend on it. The
// loops that GCC vectorises by itself cannot add, or look for the largest element, without giving up the order of the
// operations; a batch has sixteen orders side by side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "losslib/core/inline.h"
#include "losslib/core/vecmath.h"

namespace losslib {

#if defined(__AVX512F__)
constexpr int register_bytes = 64;
#elif defined(__AVX__)
constexpr int register_bytes = 32;
#else
constexpr int register_bytes = 16;
#endif

// Register<T>: as many T as a register holds; without vector types, one T.
#if defined(__GNUC__) || defined(__clang__)
template <class T> struct RegisterOf {
    typedef T Numbers __attribute__((vector_size(register_bytes)));
    typedef Bits<T> Words __attribute__((vector_size(register_bytes)));
    typedef T Four __attribute__((vector_size(4 * sizeof(T))));
    typedef T Wide __attribute__((vector_size(register_bytes / sizeof(double) * sizeof(T))));
};
#else
template <class T> struct RegisterOf {
    using Numbers = T;
    using Words = Bits<T>;
};
#endif
template <class T> using Register = typename RegisterOf<T>::Numbers;
template <class T> using RegisterWords = typename RegisterOf<T>::Words;

// x = exp(x) for x <= 0. ULP 0.8/0.9 down to the least normal number, below it exactly 0: what a softmax makes of a
// class whose probability is 1e-38 (1e-308) of the largest. NaN passes; the argument must not exceed 88.
template <class T> LOSSLIB_INLINE void become_exp(Register<T>& x) {
    using F = FloatFormat<T>;
    const Register<T> shifted = x * F::log2_e + (F::magic + F::bias);
    const Register<T> n = shifted - (F::magic + F::bias);
    const Register<T> r = (x - n * F::ln2_hi) - n * F::ln2_lo;
    const Register<T> result = T(1) + r * (T(1) + r * F::exp_tail(r));
    RegisterWords<T> bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = bits << F::mantissa_bits;
    Register<T> scale;
    std::memcpy(&scale, &bits, sizeof scale);
    x = x < F::exp_least_normal ? Register<T>{} : result * scale;
}

template <class T> struct Batch {
    static constexpr int width = sizeof(Register<T>) / sizeof(T), parts = 16 / width;
    Register<T> part[parts];

    LOSSLIB_INLINE void fill(T number) {
        for (int k = 0; k < parts; ++k) part[k] = Register<T>{} + number;
    }
    // Register by register: GCC copies a longer run of bytes through memory.
    LOSSLIB_INLINE void load(const T* source) {
        for (int k = 0; k < parts; ++k) std::memcpy(&part[k], source + k * width, sizeof part[k]);
    }
    LOSSLIB_INLINE void store(T* target) const {
        for (int k = 0; k < parts; ++k) std::memcpy(target + k * width, &part[k], sizeof part[k]);
    }

    // The larger of both in each lane; a NaN in the other is passed over.
    LOSSLIB_INLINE void raise_to(const Batch& other) {
        for (int k = 0; k < parts; ++k) part[k] = other.part[k] > part[k] ? other.part[k] : part[k];
    }
    LOSSLIB_INLINE void add(const Batch& other) {
        for (int k = 0; k < parts; ++k) part[k] = part[k] + other.part[k];
    }
    LOSSLIB_INLINE void subtract(const Batch& other) {
        for (int k = 0; k < parts; ++k) part[k] = part[k] - other.part[k];
    }
    LOSSLIB_INLINE void multiply(const Batch& other) {
        for (int k = 0; k < parts; ++k) part[k] = part[k] * other.part[k];
    }
    LOSSLIB_INLINE void become_exp() {
        for (int k = 0; k < parts; ++k) losslib::become_exp<T>(part[k]);
    }
};

// sum += terms, in float64
template <class T> LOSSLIB_INLINE void add_widened(Batch<double>& sum, const Batch<T>& terms) {
    constexpr int width = Batch<double>::width;
    T lane[16];
    terms.store(lane);
    for (int k = 0; k < Batch<double>::parts; ++k) {
#if defined(__GNUC__) || defined(__clang__)
        typename RegisterOf<T>::Wide wide;  // as many T as there are float64 in a register
        std::memcpy(&wide, lane + k * width, sizeof wide);
        sum.part[k] = sum.part[k] + __builtin_convertvector(wide, Register<double>);
#else
        sum.part[k] = sum.part[k] + static_cast<double>(lane[k]);
#endif
    }
}

// target[c][r] = source[r][c] for four by four numbers; the steps are bytes from one row to the next.
template <class T>
LOSSLIB_INLINE void transpose_four(const T* source, std::ptrdiff_t source_step, T* target, std::ptrdiff_t target_step) {
    const char* from = reinterpret_cast<const char*>(source);
    char* to = reinterpret_cast<char*>(target);
#if defined(__GNUC__) || defined(__clang__)
    using Four = typename RegisterOf<T>::Four;
    Four row[4];
    for (int k = 0; k < 4; ++k) std::memcpy(&row[k], from + k * source_step, sizeof row[k]);
    const Four even_low = __builtin_shufflevector(row[0], row[2], 0, 4, 1, 5);
    const Four odd_low = __builtin_shufflevector(row[1], row[3], 0, 4, 1, 5);
    const Four even_high = __builtin_shufflevector(row[0], row[2], 2, 6, 3, 7);
    const Four odd_high = __builtin_shufflevector(row[1], row[3], 2, 6, 3, 7);
    row[0] = __builtin_shufflevector(even_low, odd_low, 0, 4, 1, 5);
    row[1] = __builtin_shufflevector(even_low, odd_low, 2, 6, 3, 7);
    row[2] = __builtin_shufflevector(even_high, odd_high, 0, 4, 1, 5);
    row[3] = __builtin_shufflevector(even_high, odd_high, 2, 6, 3, 7);
    for (int k = 0; k < 4; ++k) std::memcpy(to + k * target_step, &row[k], sizeof row[k]);
#else
    for (int r = 0; r < 4; ++r)
        for (int c = 0; c < 4; ++c)
            std::memcpy(to + c * target_step + r * sizeof(T), from + r * source_step + c * sizeof(T), sizeof(T));
#endif
}

}  // namespace losslib
