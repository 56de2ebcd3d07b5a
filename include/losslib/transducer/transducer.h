// Scalar mathematics of the RNN transducer's lattice.
//
// A node (t, u) stands for "t frames read, u labels written". With log-probabilities blank(t, u) and emit(t, u) of the
// two steps that leave it, the probability of all paths from the start to a node and from a node to the end are
//   alpha(t, u) = log_add(alpha(t-1, u) + blank(t-1, u), alpha(t, u-1) + emit(t, u-1))
//   beta(t, u)  = log_add(beta(t+1, u)  + blank(t, u),   beta(t, u+1)  + emit(t, u)),
// beta(T, U) = 0, and the share of the paths that take a step is
//   exp(alpha(node) + step + beta(next) - log_likelihood).
// The loops over diagonals and rows are in pyx/transducer/.
#pragma once

#include <limits>

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// log(exp(a) + exp(b)), exact where one is -inf; -inf for two of them, whose difference is NaN. NaN gives NaN.
template <class T> LOSSLIB_INLINE T log_add(T a, T b) {
    constexpr T minus_infinity = -std::numeric_limits<T>::infinity();
    const T larger = maximum(a, b);
    const T sum = larger + log1p_unit(exp_nonpositive(-abs(a - b)));
    return select((a == minus_infinity) & (b == minus_infinity), minus_infinity, sum);
}

// The share of the paths that go from a node (log of the paths to it) along a step to the next node (log of the paths
// from it). Rounding must not make it more than all of them; NaN stays NaN.
LOSSLIB_INLINE double path_share(double to, double step, double from, double log_likelihood) {
    return exp(minimum(0.0, to + step + from - log_likelihood));
}

// At one node, the share of all paths that leave it, and the derivatives by the logits of blank and label. With p the
// probability of a class and s the share of its step, a derivative is p (s_blank + s_emit) - s; without the softmax -s
// alone, and no other class has one. FastEmit's emphasis is a factor of s_emit.
struct NodeSlopes {
    double share, blank, emit;
};

LOSSLIB_INLINE NodeSlopes slopes_of_node(double alpha, double blank, double emit, double after_blank, double after_emit,
                                         double log_likelihood, double emphasis, bool fused) {
    const double share_blank = path_share(alpha, blank, after_blank, log_likelihood);
    const double share_emit = path_share(alpha, emit, after_emit, log_likelihood) * emphasis;
    const double both = fused ? share_blank + share_emit : 0.0;
    return {both, fused ? both * exp(blank) - share_blank : -share_blank,
            fused ? both * exp(emit) - share_emit : -share_emit};
}

// Below this value what the alignment misses is added up instead: a difference to 1 would have few digits.
constexpr double nearly_certain = 1e-3;

}  // namespace losslib
