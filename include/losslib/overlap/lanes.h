// What the two passes of the overlap geometry do with sixteen positions side by side.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/simd/batch.h"

namespace losslib {

// held = number where the terms are larger than the largest so far.
template <class T, int n>
LOSSLIB_INLINE void follow(Batch<T, n>& held, const Batch<T, n>& largest, const Batch<T, n>& terms, T number) {
    if constexpr (n > 0) {
        held.part = terms.part > largest.part ? Register<T>{} + number : held.part;
        follow(held.rest, largest.rest, terms.rest, number);
    }
}

// sum += a * b
template <class T, int n>
LOSSLIB_INLINE void add_product(Batch<T, n>& sum, const Batch<T, n>& a, const Batch<T, n>& b) {
    if constexpr (n > 0) {
        sum.part = sum.part + a.part * b.part;
        add_product(sum.rest, a.rest, b.rest);
    }
}

// mean += e * (slope - reference)
template <class T, int n>
LOSSLIB_INLINE void add_slope(Batch<T, n>& mean, const Batch<T, n>& e, T slope, const Batch<T, n>& reference) {
    if constexpr (n > 0) {
        mean.part = mean.part + e.part * (slope - reference.part);
        add_slope(mean.rest, e.rest, slope, reference.rest);
    }
}

// e = p (slope - reference - mean) with p = e * inverse: the derivative by the logit.
template <class T, int n> LOSSLIB_INLINE void become_derivative(Batch<T, n>& e, T slope, const Batch<T, n>& reference,
                                                                const Batch<T, n>& inverse, const Batch<T, n>& mean) {
    if constexpr (n > 0) {
        e.part = e.part * inverse.part * ((slope - reference.part) - mean.part);
        become_derivative(e.rest, slope, reference.rest, inverse.rest, mean.rest);
    }
}

// p = 1 / (1 + exp(-x)) and q = 1 / (1 + exp(x)), each with its own digits.
template <class T, int n> LOSSLIB_INLINE void sigmoids(const Batch<T, n>& x, Batch<T, n>& p, Batch<T, n>& q) {
    if constexpr (n > 0) {
        Register<T> e = x.part > T(0) ? -x.part : x.part;
        become_exp<T>(e);
        const Register<T> high = T(1) / (T(1) + e), low = e * high;
        p.part = x.part > T(0) ? high : low;
        q.part = x.part > T(0) ? low : high;
        sigmoids(x.rest, p.rest, q.rest);
    }
}

// x = (positive + turn t) p q: the derivative by a logit of counts that are products. p q is the same for x and -x.
template <class T, int n>
LOSSLIB_INLINE void become_sigmoid_derivative(Batch<T, n>& x, const Batch<T, n>& t, T positive, T turn) {
    if constexpr (n > 0) {
        Register<T> e = x.part > T(0) ? -x.part : x.part;
        become_exp<T>(e);
        const Register<T> high = T(1) / (T(1) + e);
        x.part = (positive + turn * t.part) * (e * high * high);
        become_sigmoid_derivative(x.rest, t.rest, positive, turn);
    }
}

// common += p t, positive += p (1 - t), negative += q t, target += t
template <class T, int n>
LOSSLIB_INLINE void add_counts(const Batch<T, n>& p, const Batch<T, n>& q, const Batch<T, n>& t, Batch<T, n>& common,
                               Batch<T, n>& positive, Batch<T, n>& negative, Batch<T, n>& target) {
    if constexpr (n > 0) {
        common.part = common.part + p.part * t.part;
        positive.part = positive.part + p.part * (T(1) - t.part);
        negative.part = negative.part + q.part * t.part;
        target.part = target.part + t.part;
        add_counts(p.rest, q.rest, t.rest, common.rest, positive.rest, negative.rest, target.rest);
    }
}

}  // namespace losslib
