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

// For z = |x|: e = exp(-z), high = 1 / (1 + e), the sigmoid of z, and low = e high, that of -z.
template <class T>
LOSSLIB_INLINE void halves(const Register<T>& x, Register<T>& e, Register<T>& high, Register<T>& low) {
    e = x > T(0) ? -x : x;
    become_exp<T>(e);
    high = T(1) / (T(1) + e);
    low = e * high;
}

// p = 1 / (1 + exp(-x)) and q = 1 / (1 + exp(x)), each with its own digits.
template <class T, int n> LOSSLIB_INLINE void sigmoids(const Batch<T, n>& x, Batch<T, n>& p, Batch<T, n>& q) {
    if constexpr (n > 0) {
        Register<T> e, high, low;
        halves<T>(x.part, e, high, low);
        p.part = x.part > T(0) ? high : low;
        q.part = x.part > T(0) ? low : high;
        sigmoids(x.rest, p.rest, q.rest);
    }
}

// x = (positive + turn t) p q: the derivative by a logit of counts that are products. p q is the same for x and -x.
template <class T, int n>
LOSSLIB_INLINE void become_sigmoid_derivative(Batch<T, n>& x, const Batch<T, n>& t, T positive, T turn) {
    if constexpr (n > 0) {
        Register<T> e, high, low;
        halves<T>(x.part, e, high, low);
        x.part = (positive + turn * t.part) * (low * high);
        become_sigmoid_derivative(x.rest, t.rest, positive, turn);
    }
}

// The same and scale times that of all * cross-entropy of y = spread + sharp t: all p - y, or -all q where y is all.
template <class T, int n>
LOSSLIB_INLINE void become_sigmoid_and_entropy_derivative(Batch<T, n>& x, const Batch<T, n>& t, T positive, T turn,
                                                          T scale, T all, T spread, T sharp) {
    if constexpr (n > 0) {
        Register<T> e, high, low;
        halves<T>(x.part, e, high, low);
        const Register<T> y = spread + sharp * t.part;
        const Register<T> p = x.part > T(0) ? high : low, q = x.part > T(0) ? low : high;
        const Register<T> distance = y == all ? -all * q : all * p - y;
        x.part = (positive + turn * t.part) * (low * high) + scale * distance;
        become_sigmoid_and_entropy_derivative(x.rest, t.rest, positive, turn, scale, all, spread, sharp);
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

// sum += y softplus(-x) + (all - y) softplus(x) for y = spread + sharp t; both have the same logarithm.
template <class T, int n> LOSSLIB_INLINE void add_entropies(const Batch<T, n>& x, const Batch<T, n>& t, T all, T spread,
                                                            T sharp, Batch<T, n>& sum) {
    if constexpr (n > 0) {
        Register<T> e = x.part > T(0) ? -x.part : x.part;
        const Register<T> y = spread + sharp * t.part, z = T(0) - e, other = x.part > T(0) ? all - y : y;
        become_exp<T>(e);
        sum.part = sum.part + (all * FloatFormat<T>::log1p_unit(e) + other * z);
        add_entropies(x.rest, t.rest, all, spread, sharp, sum.rest);
    }
}

// least = the lesser of it and t (1 - t); a NaN is passed over.
template <class T, int n> LOSSLIB_INLINE void lower_to_variance(Batch<T, n>& least, const Batch<T, n>& t) {
    if constexpr (n > 0) {
        const Register<T> product = t.part * (T(1) - t.part);
        least.part = product < least.part ? product : least.part;
        lower_to_variance(least.rest, t.rest);
    }
}

// Terms of a row of logits x and targets t, with p and q as above, added side by side:
// p t, p (1 - t), q t and t; and y softplus(-x) + (all - y) softplus(x) for y = spread + sharp t.
template <class T> struct SigmoidCounts {
    Batch<T> common, positive, negative, target, entropy;
    Batch<T> least;  // of t (1 - t): below 0 for a target outside [0, 1]

    LOSSLIB_INLINE void start() { least.fill(0); }
    LOSSLIB_INLINE bool outside() const {
        T lane[16], lowest = 0;
        least.store(lane);
        for (int k = 0; k < 16; ++k) lowest = lane[k] < lowest ? lane[k] : lowest;
        return lowest < 0;
    }
    LOSSLIB_INLINE void clear() {
        common.fill(0);
        positive.fill(0);
        negative.fill(0);
        target.fill(0);
        entropy.fill(0);
    }
    LOSSLIB_INLINE void add(const Batch<T>& x, const Batch<T>& t) {
        Batch<T> p, q;
        sigmoids(x, p, q);
        add_counts(p, q, t, common, positive, negative, target);
        lower_to_variance(least, t);
    }
    LOSSLIB_INLINE void add_with_entropy(const Batch<T>& x, const Batch<T>& t, T all, T spread, T sharp) {
        add(x, t);
        add_entropies(x, t, all, spread, sharp, entropy);
    }
};

}  // namespace losslib
