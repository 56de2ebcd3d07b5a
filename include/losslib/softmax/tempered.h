// The bi-tempered logistic loss of Amid et al. 2019 (https://arxiv.org/abs/1906.03361), a class at a time: tempered
// logarithm t1, tempered softmax t2 >= 1. Probabilities are kept as logarithms, which do not underflow.
#pragma once

#include <cmath>

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// (x^(1-t) - 1)/(1 - t) from log x; log x itself for t = 1.
LOSSLIB_INLINE double tempered_log(double logarithm, double t) {
    return t == 1.0 ? logarithm : std::expm1((1.0 - t) * logarithm) / (1.0 - t);
}

// exp(s d)/s up to a constant: expm1(s d)/s, d itself for s = 0.
LOSSLIB_INLINE double tempered_growth(double d, double s) { return s == 0.0 ? d : std::expm1(s * d) / s; }

struct TemperedTerm {
    double value, difference, escort;
};

struct BiTempered {
    double t1, t2;

    // log p of a class from z = x minus the normaliser.
    LOSSLIB_INLINE double log_probability(double z) const {
        return t2 == 1.0 ? z : std::log1p((1.0 - t2) * z) / (1.0 - t2);
    }

    // One term of the partition function, with z = x - max(x) and the present guess of partition^(1 - t2).
    LOSSLIB_INLINE double weight(double z, double shift) const {
        return std::pow(1.0 + (1.0 - t2) * z * shift, 1.0 / (1.0 - t2));
    }

    // y (log_t1 y - log_t1 p) - (y^(2-t1) - p^(2-t1))/(2 - t1), which no class has below 0. With d = log p - log y and
    // s = 1 - t1 it is y^(1+s) ((exp((1+s) d) - 1)/(1 + s) - (exp(s d) - 1)/s); the terms of first order cancel, so
    // that a series stands for the difference near d = 0: sum over k >= 2 of d^k ((1+s)^(k-1) - s^(k-1))/k!.
    LOSSLIB_INLINE double divergence(double log_y, double y, double lp) const {
        const double s = 1.0 - t1;
        if (y == 0.0) return std::exp((1.0 + s) * lp) / (1.0 + s);
        const double d = lp - log_y, unit = std::exp((1.0 + s) * log_y);
        if (std::abs(d) < 0.125) {
            double more = 1.0 + s, less = s, power = 0.5 * d * d, sum = 0.0;
            for (int k = 2; k < 14; ++k) {
                sum += power * (more - less);
                more *= 1.0 + s;
                less *= s;
                power *= d / (k + 1);
            }
            return unit * sum;
        }
        // p far above y: y^(1+s) may underflow where p^(1+s) does not.
        if (d > 30.0)
            return std::exp((1.0 + s) * lp) / (1.0 + s) - y * (tempered_log(lp, t1) - tempered_log(log_y, t1)) -
                   unit / (1.0 + s);
        return unit * (tempered_growth(d, 1.0 + s) - tempered_growth(d, s));
    }

    // `difference` is (p - y) p^(t2 - t1) and `escort` p^t2: d/dx_k = difference_k - escort_k/sum(escort) sum(difference).
    LOSSLIB_INLINE TemperedTerm at(double lp, double y) const {
        const double power = t2 - t1, missing = exp(lp) - y;
        // 1 to the power of nothing for t2 = t1, even at p = 0.
        const double difference = power == 0.0 || missing == 0.0 ? missing : missing * exp(power * lp);
        return {divergence(std::log(y), y, lp), difference, exp(t2 * lp)};
    }
};

}  // namespace losslib
