// Sixteen numbers side by side, held in registers: what the loops over rows of classes are made of.
//
// A batch is one, two or four registers, whatever the instruction set has, so that results do not depend on it. The
// loops that GCC vectorises by itself cannot add, or look for the largest element, without giving up the order of the
// operations; a batch has sixteen orders side by side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "losslib/core/inline.h"
#include "losslib/core/vecmath.h"
#include "losslib/simd/lanes.h"

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
};
#else
template <class T> struct RegisterOf {
    using Numbers = T;
    using Words = Bits<T>;
};
#endif
template <class T> using Register = typename RegisterOf<T>::Numbers;
template <class T> using RegisterWords = typename RegisterOf<T>::Words;

// x = exp(x) for x <= 0 (no more than 88). ULP 1.20/1.25, with fma 0.91/0.94, down to the least normal number; exactly
// 0 below it, where a softmax has a class whose probability is 1e-38 (1e-308) of the largest. NaN passes.
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

// One register and the rest of them: members with names of their own, which the compiler keeps in registers where it
// leaves an array in memory.
template <class T, int count = 16 * sizeof(T) / sizeof(Register<T>)> struct Batch {
    static constexpr int width = sizeof(Register<T>) / sizeof(T);
    Register<T> part;
    Batch<T, count - 1> rest;

    LOSSLIB_INLINE void fill(T number) {
        part = Register<T>{} + number;
        rest.fill(number);
    }
    LOSSLIB_INLINE void load(const T* source) {
        std::memcpy(&part, source, sizeof part);
        rest.load(source + width);
    }
    LOSSLIB_INLINE void store(T* target) const {
        std::memcpy(target, &part, sizeof part);
        rest.store(target + width);
    }
    // The larger of both in each lane; a NaN in the other is passed over.
    LOSSLIB_INLINE void raise_to(const Batch& other) {
        part = other.part > part ? other.part : part;
        rest.raise_to(other.rest);
    }
    LOSSLIB_INLINE void add(const Batch& other) {
        part = part + other.part;
        rest.add(other.rest);
    }
    LOSSLIB_INLINE void subtract(const Batch& other) {
        part = part - other.part;
        rest.subtract(other.rest);
    }
    LOSSLIB_INLINE void multiply(const Batch& other) {
        part = part * other.part;
        rest.multiply(other.rest);
    }
    LOSSLIB_INLINE void become_exp() {
        losslib::become_exp<T>(part);
        rest.become_exp();
    }
    // max(0, x); NaN stays.
    LOSSLIB_INLINE void become_hinge() {
        part = Register<T>{} > part ? Register<T>{} : part;
        rest.become_hinge();
    }
    // 1 where x > 0, else 0.
    LOSSLIB_INLINE void become_step() {
        part = part > T(0) ? Register<T>{} + T(1) : Register<T>{};
        rest.become_step();
    }
};

template <class T> struct Batch<T, 0> {
    LOSSLIB_INLINE void fill(T) {}
    LOSSLIB_INLINE void load(const T*) {}
    LOSSLIB_INLINE void store(T*) const {}
    LOSSLIB_INLINE void raise_to(const Batch&) {}
    LOSSLIB_INLINE void add(const Batch&) {}
    LOSSLIB_INLINE void subtract(const Batch&) {}
    LOSSLIB_INLINE void multiply(const Batch&) {}
    LOSSLIB_INLINE void become_exp() {}
    LOSSLIB_INLINE void become_hinge() {}
    LOSSLIB_INLINE void become_step() {}
};

// sum += terms, in float64
LOSSLIB_INLINE void add_widened(Batch<double>& sum, const Batch<double>& terms) { sum.add(terms); }

#if defined(__GNUC__) || defined(__clang__)
template <std::size_t... k> LOSSLIB_INLINE void add_halves(Register<double>& low, Register<double>& high,
                                                           const Register<float>& terms, std::index_sequence<k...>) {
    // Taken out of the register: a copy of half of it through memory would keep all of it there.
    const FloatVector first = __builtin_shufflevector(terms, terms, k...);
    const FloatVector second = __builtin_shufflevector(terms, terms, (k + sizeof...(k))...);
    Register<double> wide;
    widen(first, wide);
    low = low + wide;
    widen(second, wide);
    high = high + wide;
}
template <int count> LOSSLIB_INLINE void add_widened(Batch<double, 2 * count>& sum, const Batch<float, count>& terms) {
    add_halves(sum.part, sum.rest.part, terms.part, std::make_index_sequence<register_bytes / 8>());
    if constexpr (count > 1) add_widened(sum.rest.rest, terms.rest);
}
#else
template <int count> LOSSLIB_INLINE void add_widened(Batch<double, count>& sum, const Batch<float, count>& terms) {
    sum.part = sum.part + static_cast<double>(terms.part);
    if constexpr (count > 1) add_widened(sum.rest, terms.rest);
}
#endif

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

// Sixteen rows of four numbers, one after the other, as four planes; and back.
#if defined(__GNUC__) || defined(__clang__)
template <class T> using Places = std::make_index_sequence<sizeof(Register<T>) / sizeof(T)>;

template <class T, std::size_t... k> LOSSLIB_INLINE void
part(const Register<T>& a, const Register<T>& b, Register<T>& even, Register<T>& odd, std::index_sequence<k...>) {
    even = __builtin_shufflevector(a, b, (2 * k)...);
    odd = __builtin_shufflevector(a, b, (2 * k + 1)...);
}
template <class T, std::size_t... k> LOSSLIB_INLINE void
weave(const Register<T>& even, const Register<T>& odd, Register<T>& a, Register<T>& b, std::index_sequence<k...>) {
    constexpr std::size_t width = sizeof...(k);
    a = __builtin_shufflevector(even, odd, (k / 2 + k % 2 * width)...);
    b = __builtin_shufflevector(even, odd, (width / 2 + k / 2 + k % 2 * width)...);
}
template <class T> LOSSLIB_INLINE void sixteen_to_planes(const T* rows, T* first, T* second, T* third, T* fourth) {
    constexpr int width = sizeof(Register<T>) / sizeof(T);
    for (int i = 0; i < 16; i += width) {
        Register<T> r[4], even[2], odd[2];
        std::memcpy(r, rows + 4 * i, sizeof r);
        part<T>(r[0], r[1], even[0], odd[0], Places<T>());
        part<T>(r[2], r[3], even[1], odd[1], Places<T>());
        part<T>(even[0], even[1], r[0], r[2], Places<T>());
        part<T>(odd[0], odd[1], r[1], r[3], Places<T>());
        std::memcpy(first + i, &r[0], sizeof r[0]);
        std::memcpy(second + i, &r[1], sizeof r[0]);
        std::memcpy(third + i, &r[2], sizeof r[0]);
        std::memcpy(fourth + i, &r[3], sizeof r[0]);
    }
}
template <class T>
LOSSLIB_INLINE void sixteen_to_rows(const T* first, const T* second, const T* third, const T* fourth, T* rows) {
    constexpr int width = sizeof(Register<T>) / sizeof(T);
    for (int i = 0; i < 16; i += width) {
        Register<T> r[4], even[2], odd[2];
        std::memcpy(&r[0], first + i, sizeof r[0]);
        std::memcpy(&r[1], second + i, sizeof r[0]);
        std::memcpy(&r[2], third + i, sizeof r[0]);
        std::memcpy(&r[3], fourth + i, sizeof r[0]);
        weave<T>(r[0], r[2], even[0], even[1], Places<T>());
        weave<T>(r[1], r[3], odd[0], odd[1], Places<T>());
        weave<T>(even[0], odd[0], r[0], r[1], Places<T>());
        weave<T>(even[1], odd[1], r[2], r[3], Places<T>());
        std::memcpy(rows + 4 * i, r, sizeof r);
    }
}
#else
template <class T> LOSSLIB_INLINE void sixteen_to_planes(const T* rows, T* first, T* second, T* third, T* fourth) {
    for (int i = 0; i < 16; ++i) {
        first[i] = rows[4 * i];
        second[i] = rows[4 * i + 1];
        third[i] = rows[4 * i + 2];
        fourth[i] = rows[4 * i + 3];
    }
}
template <class T>
LOSSLIB_INLINE void sixteen_to_rows(const T* first, const T* second, const T* third, const T* fourth, T* rows) {
    for (int i = 0; i < 16; ++i) {
        rows[4 * i] = first[i];
        rows[4 * i + 1] = second[i];
        rows[4 * i + 2] = third[i];
        rows[4 * i + 3] = fourth[i];
    }
}
#endif

}  // namespace losslib
