// What the two passes of the overlap geometry do with sixteen positions side by side.
//
// Class indices are numbers of the type of the input here, so that comparing them costs one instruction: `label` is the
// class of the target, -1 where a position does not count, and `c` the class whose probabilities are at hand.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/simd/batch.h"

namespace losslib {

// e = exp(e); run += e and ones += 0, or where e is 1, of the largest logit, run += 0 and ones += 1: what the other
// classes have keeps its digits beside a class that has nearly everything.
template <class T, int n> LOSSLIB_INLINE void become_exp_apart(Batch<T, n>& e, Batch<T, n>& run, Batch<T, n>& ones) {
    if constexpr (n > 0) {
        become_exp<T>(e.part);
        run.part = run.part + (e.part == T(1) ? Register<T>{} : e.part);
        ones.part = ones.part + (e.part == T(1) ? Register<T>{} + T(1) : Register<T>{});
        become_exp_apart(e.rest, run.rest, ones.rest);
    }
}

// picked = value where the target is class c.
template <class T, int n>
LOSSLIB_INLINE void pick(Batch<T, n>& picked, const Batch<T, n>& label, T c, const Batch<T, n>& value) {
    if constexpr (n > 0) {
        picked.part = label.part == c ? value.part : picked.part;
        pick(picked.rest, label.rest, c, value.rest);
    }
}

// sum += e * inverse where the target is another class.
template <class T, int n> LOSSLIB_INLINE void add_elsewhere(Batch<T, n>& sum, const Batch<T, n>& e,
                                                            const Batch<T, n>& label, T c, const Batch<T, n>& inverse) {
    if constexpr (n > 0) {
        const Register<T> p = e.part * inverse.part;
        sum.part = sum.part + (label.part == c ? Register<T>{} : p);
        add_elsewhere(sum.rest, e.rest, label.rest, c, inverse.rest);
    }
}

// The derivative by the probability of class c is `here` where it is the target and `elsewhere` where it is not.
template <class T> LOSSLIB_INLINE Register<T> slope_of(const Register<T>& label, T c, T here, T elsewhere) {
    const Register<T> a = Register<T>{} + here, b = Register<T>{} + elsewhere;
    return label == c ? a : b;
}

// reference = the slope of the class of the largest logit.
template <class T, int n> LOSSLIB_INLINE void refer(Batch<T, n>& reference, const Batch<T, n>& e,
                                                    const Batch<T, n>& label, T c, T here, T elsewhere) {
    if constexpr (n > 0) {
        const Register<T> slope = slope_of<T>(label.part, c, here, elsewhere);
        reference.part = e.part == T(1) ? slope : reference.part;
        refer(reference.rest, e.rest, label.rest, c, here, elsewhere);
    }
}

// mean += e * (slope - reference)
template <class T, int n> LOSSLIB_INLINE void add_slope(Batch<T, n>& mean, const Batch<T, n>& e,
                                                        const Batch<T, n>& label, T c, T here, T elsewhere,
                                                        const Batch<T, n>& reference) {
    if constexpr (n > 0) {
        mean.part = mean.part + e.part * (slope_of<T>(label.part, c, here, elsewhere) - reference.part);
        add_slope(mean.rest, e.rest, label.rest, c, here, elsewhere, reference.rest);
    }
}

// e = p (slope - reference - mean) with p = e * inverse: the derivative by the logit.
template <class T, int n> LOSSLIB_INLINE void become_derivative(Batch<T, n>& e, const Batch<T, n>& label, T c, T here,
                                                                T elsewhere, const Batch<T, n>& reference,
                                                                const Batch<T, n>& inverse, const Batch<T, n>& mean) {
    if constexpr (n > 0) {
        const Register<T> slope = slope_of<T>(label.part, c, here, elsewhere);
        e.part = e.part * inverse.part * ((slope - reference.part) - mean.part);
        become_derivative(e.rest, label.rest, c, here, elsewhere, reference.rest, inverse.rest, mean.rest);
    }
}

// The same and the derivative of the cross-entropy: mass * p, and -mass * q = -missing where class c is the target.
template <class T, int n> LOSSLIB_INLINE void become_both_derivatives(Batch<T, n>& e, const Batch<T, n>& label, T c,
                                                                      T here, T elsewhere, const Batch<T, n>& reference,
                                                                      const Batch<T, n>& inverse,
                                                                      const Batch<T, n>& mean, const Batch<T, n>& mass,
                                                                      const Batch<T, n>& missing) {
    if constexpr (n > 0) {
        const Register<T> slope = slope_of<T>(label.part, c, here, elsewhere);
        const Register<T> p = e.part * inverse.part, all = mass.part * p, none = Register<T>{} - missing.part;
        e.part = p * ((slope - reference.part) - mean.part) + (label.part == c ? none : all);
        become_both_derivatives(e.rest, label.rest, c, here, elsewhere, reference.rest, inverse.rest, mean.rest,
                                mass.rest, missing.rest);
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
