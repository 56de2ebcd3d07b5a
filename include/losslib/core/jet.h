// A jet: the value of a loss at one point with its first and second partial derivatives.
//
// `grad` and `hess` belong to the first input, `grad2`/`hess2` to the second, `grad3`/`hess3` to the third.
// A loss computes all of them from shared subexpressions in one function; the loops in pyx/ read the fields they
// store and the compiler removes the rest, so a kernel that writes values only does not pay for derivatives.
#pragma once

#include "losslib/core/inline.h"

namespace losslib {

template <class T> struct Jet {
    T value;
    T grad, hess;
    T grad2 = T(0), hess2 = T(0);
    T grad3 = T(0), hess3 = T(0);
};

// The jet of a loss that depends on d = input - target alone: d/dtarget = -d/dd. The return type of `at` says so, and
// spares the loss the kernels of the target's derivatives: a driver turns the sign.
template <class T> struct JetOfDifference {
    T value, grad, hess;
    LOSSLIB_INLINE operator Jet<T>() const { return {value, grad, hess, -grad, hess}; }
};

template <class T> LOSSLIB_INLINE JetOfDifference<T> jet_of_difference(T value, T slope, T curvature) {
    return {value, slope, curvature};
}

}  // namespace losslib
