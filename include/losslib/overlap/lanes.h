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

// The two bits that the sigmoid of -|x|, at most 1/2, does not use.
template <class T> constexpr Bits<T> sign_bit = Bits<T>(1) << (8 * sizeof(T) - 1);
template <class T> constexpr Bits<T> mark_bit = sign_bit<T> >> 1;

template <class T> LOSSLIB_INLINE void bits_of(const Register<T>& x, RegisterWords<T>& bits) {
    std::memcpy(&bits, &x, sizeof bits);
}
template <class T> LOSSLIB_INLINE void number_of(const RegisterWords<T>& bits, Register<T>& x) {
    std::memcpy(&x, &bits, sizeof x);
}

// e = exp(-|x|)
template <class T, int n> LOSSLIB_INLINE void exponentials_of(const Batch<T, n>& x, Batch<T, n>& e) {
    if constexpr (n > 0) {
        RegisterWords<T> bits;
        bits_of<T>(x.part, bits);
        number_of<T>(bits | sign_bit<T>, e.part);
        become_exp<T>(e.part);
        exponentials_of(x.rest, e.rest);
    }
}

// Of e = exp(-|x|) the sigmoid of |x| and that of -|x|. `below`: the sign of x.
template <class T> LOSSLIB_INLINE void halves(const Register<T>& x, const Register<T>& e, Register<T>& high,
                                              Register<T>& low, RegisterWords<T>& below) {
    RegisterWords<T> bits;
    bits_of<T>(x, bits);
    below = bits & sign_bit<T>;
    high = T(1) / (T(1) + e);
    low = e * high;
}

// p = 1 / (1 + exp(-x)) and q = 1 / (1 + exp(x)) of x and e = exp(-|x|), each with its own digits.
template <class T, int n>
LOSSLIB_INLINE void sigmoids(const Batch<T, n>& x, const Batch<T, n>& e, Batch<T, n>& p, Batch<T, n>& q) {
    if constexpr (n > 0) {
        Register<T> high, low;
        RegisterWords<T> below;
        halves<T>(x.part, e.part, high, low, below);
        p.part = below ? low : high;
        q.part = below ? high : low;
        sigmoids(x.rest, e.rest, p.rest, q.rest);
    }
}

// The same, and what the second pass needs of x and of t, which is 0 or 1 there: the lesser of p and q,
// with the sign of x and t in its free bits.
template <class T, int n> LOSSLIB_INLINE void sigmoids_to_keep(const Batch<T, n>& x, const Batch<T, n>& e,
                                                               const Batch<T, n>& t, Batch<T, n>& p, Batch<T, n>& q,
                                                               Batch<T, n>& kept) {
    if constexpr (n > 0) {
        Register<T> high, low;
        RegisterWords<T> below, bits, mark;
        halves<T>(x.part, e.part, high, low, below);
        p.part = below ? low : high;
        q.part = below ? high : low;
        bits_of<T>(low, bits);
        bits_of<T>(t.part, mark);
        number_of<T>(bits | below | (mark << 1 & mark_bit<T>), kept.part);
        sigmoids_to_keep(x.rest, e.rest, t.rest, p.rest, q.rest, kept.rest);
    }
}

// The sigmoid of -|x| with the sign of x.
template <class T, int n>
LOSSLIB_INLINE void lower_sigmoids(const Batch<T, n>& x, const Batch<T, n>& e, Batch<T, n>& lower) {
    if constexpr (n > 0) {
        Register<T> high, low;
        RegisterWords<T> below, bits;
        halves<T>(x.part, e.part, high, low, below);
        bits_of<T>(low, bits);
        number_of<T>(bits | below, lower.part);
        lower_sigmoids(x.rest, e.rest, lower.rest);
    }
}

// Derivatives by a logit x of counts that are products, positive p + turn p t, and of scale times all * cross-entropy
// of y = spread + sharp t.
template <class T> struct SigmoidSlope {
    T positive, turn, scale, all, spread, sharp;

    // (positive + turn t) p q; low is the lesser of p and q.
    LOSSLIB_INLINE void of_counts(const Register<T>& low, const Register<T>& t, Register<T>& x) const {
        x = (positive + turn * t) * (low - low * low);
    }
    // The same and scale (all p - y), or -scale all q where y is all.
    LOSSLIB_INLINE void of_both(const Register<T>& low, const RegisterWords<T>& below, const Register<T>& t,
                                Register<T>& x) const {
        const Register<T> high = T(1) - low, y = spread + sharp * t;
        const Register<T> p = below ? low : high, q = below ? high : low;
        const Register<T> distance = y == all ? -all * q : all * p - y;
        of_counts(low, t, x);
        x = x + scale * distance;
    }
    // What `lower_sigmoids` returned becomes the derivative.
    template <int n> LOSSLIB_INLINE void become(Batch<T, n>& lower, const Batch<T, n>& t, bool entropic) const {
        if constexpr (n > 0) {
            RegisterWords<T> bits;
            Register<T> low;
            bits_of<T>(lower.part, bits);
            number_of<T>(bits & (sign_bit<T> - 1), low);
            if (entropic) {
                of_both(low, bits & sign_bit<T>, t.part, lower.part);
            } else {
                of_counts(low, t.part, lower.part);
            }
            become(lower.rest, t.rest, entropic);
        }
    }
};

// What `sigmoids_to_keep` kept, as `lower_sigmoids` returns it and as t.
template <class T, int n> LOSSLIB_INLINE void part_kept(const Batch<T, n>& kept, Batch<T, n>& lower, Batch<T, n>& t) {
    if constexpr (n > 0) {
        const Register<T> zero{};
        RegisterWords<T> bits;
        bits_of<T>(kept.part, bits);
        number_of<T>(bits & ~mark_bit<T>, lower.part);
        t.part = bits & mark_bit<T> ? zero + T(1) : zero;
        part_kept(kept.rest, lower.rest, t.rest);
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

// sum += y softplus(-x) + (all - y) softplus(x) for y = spread + sharp t; both have the logarithm of 1 + e, e = exp(-|x|).
// What has no weight is not there, be it infinite.
template <class T, int n> LOSSLIB_INLINE void add_entropies(const Batch<T, n>& x, const Batch<T, n>& e,
                                                            const Batch<T, n>& t, T all, T spread, T sharp,
                                                            Batch<T, n>& sum) {
    if constexpr (n > 0) {
        RegisterWords<T> bits;
        Register<T> z;
        bits_of<T>(x.part, bits);
        number_of<T>(bits & (sign_bit<T> - 1), z);
        const Register<T> y = spread + sharp * t.part, other = bits & sign_bit<T> ? y : all - y;
        const Register<T> linear = other == T(0) ? Register<T>{} : other * z;
        sum.part = sum.part + (all * FloatFormat<T>::log1p_unit(e.part) + linear);
        add_entropies(x.rest, e.rest, t.rest, all, spread, sharp, sum.rest);
    }
}

// No bit of `soft` is set as long as every t is 0 or 1.
template <class T, int n> LOSSLIB_INLINE void gather_soft(Batch<T, n>& soft, const Batch<T, n>& t) {
    if constexpr (n > 0) {
        RegisterWords<T> all, bits;
        bits_of<T>(soft.part, all);
        bits_of<T>(t.part - t.part * t.part, bits);
        number_of<T>(all | bits, soft.part);
        gather_soft(soft.rest, t.rest);
    }
}

// Terms of a row of logits x and targets t, with p and q as above, added side by side:
// p t, p (1 - t), q t and t; and y softplus(-x) + (all - y) softplus(x) for y = spread + sharp t. The exponentials come
// from a loop of their own: both chains of operations in one are longer than a processor looks ahead.
template <class T> struct SigmoidCounts {
    Batch<T> common, positive, negative, target, entropy, soft;

    LOSSLIB_INLINE void start() { soft.fill(0); }
    // Whether every target is 0 or 1.
    LOSSLIB_INLINE bool marks() const {
        Bits<T> lane[16], all = 0;
        std::memcpy(lane, &soft, sizeof lane);
        for (int k = 0; k < 16; ++k) all |= lane[k];
        return all == 0;
    }
    LOSSLIB_INLINE void clear() {
        common.fill(0);
        positive.fill(0);
        negative.fill(0);
        target.fill(0);
        entropy.fill(0);
    }
    // `kept` takes what the second pass needs of x and t where every t is 0 or 1.
    LOSSLIB_INLINE void add(const Batch<T>& x, const Batch<T>& e, const Batch<T>& t, bool entropic, T all, T spread,
                            T sharp, Batch<T>& kept) {
        Batch<T> p, q;
        sigmoids_to_keep(x, e, t, p, q, kept);
        add_counts(p, q, t, common, positive, negative, target);
        gather_soft(soft, t);
        if (entropic) add_entropies(x, e, t, all, spread, sharp, entropy);
    }
};

// The sums of a run of positions.
struct SigmoidSums {
    Batch<double> common, positive, negative, target, entropy;

    LOSSLIB_INLINE void start() {
        common.fill(0);
        positive.fill(0);
        negative.fill(0);
        target.fill(0);
        entropy.fill(0);
    }
    template <class T> LOSSLIB_INLINE void add(const SigmoidCounts<T>& counts, bool entropic) {
        add_widened(common, counts.common);
        add_widened(positive, counts.positive);
        add_widened(negative, counts.negative);
        add_widened(target, counts.target);
        if (entropic) add_widened(entropy, counts.entropy);
    }
};

}  // namespace losslib
