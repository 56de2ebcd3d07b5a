// Evidence for the classes from logits: Sensoy, Kaplan and Kandemir 2018 (https://arxiv.org/abs/1806.01768).
#pragma once

#include "losslib/core/inline.h"
#include "losslib/core/special.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// Evidence >= 0 of a class and its slope by the logit.
struct Evidence {
    double amount, slope;
};

enum EvidenceKind { EVIDENCE_SOFTPLUS = 0, EVIDENCE_RELU = 1, EVIDENCE_EXP = 2 };

// exp(x) stops at x = 10.
LOSSLIB_INLINE Evidence evidence_of(double x, int kind) {
    if (kind == EVIDENCE_SOFTPLUS) return {softplus(x), sigmoid(x)};
    if (kind == EVIDENCE_RELU) return {x > 0.0 ? x : x == x ? 0.0 : x, x > 0.0 ? 1.0 : 0.0};
    const double grown = exp(x > 10.0 ? 10.0 : x);
    return {grown, x > 10.0 ? 0.0 : grown};
}

}  // namespace losslib
