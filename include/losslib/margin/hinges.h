// Losses that add up a hinge for every class i but the target t: how far the score x_i comes within the margin of x_t.
//
// A struct has the margin as its field; `excess` is the hinge of a class, `term` what it adds to the value, `slope` its
// derivative by x_i over `rate`. The target takes off what all others put on. The loops over the classes of a row are in
// pyx/margin/sums.pxd, those over lists of targets in lists.pxd.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/simd/batch.h"

namespace losslib {

struct Hinges {
    double margin;

    // What is added to the score of every class: margin - x_t.
    template <class T> LOSSLIB_INLINE T offset(T score_of_target) const { return T(margin) - score_of_target; }
    // max(0, offset + x_i); this way round NaN stays.
    template <class T> LOSSLIB_INLINE T excess(T offset, T score) const {
        const T within = offset + score;
        return select(within <= T(0), T(0), within);
    }
};

// L078 with p = 1: sum over i != t of max(0, margin - x_t + x_i). At the kink the slope is 0.
struct LinearHinge : Hinges {
    static constexpr double rate = 1;

    template <class T> LOSSLIB_INLINE T term(T excess) const { return excess; }
    template <class T> LOSSLIB_INLINE T slope(T excess) const { return select(excess > T(0), T(1), T(0)); }
};

// L078 with p = 2: the sum of their squares.
struct SquaredHinge : Hinges {
    static constexpr double rate = 2;

    template <class T> LOSSLIB_INLINE T term(T excess) const { return excess * excess; }
    template <class T> LOSSLIB_INLINE T slope(T excess) const { return excess; }
};

// L080: the linear hinges of every target of a list against every class outside it.
struct MultilabelHinge : LinearHinge {};

// Linear hinges of sixteen scores at a time: adds them to sixteen float64 sums; if a gradient is wanted, counts the
// positive ones and writes `slope` in their places, 0 in the others. GCC vectorises no loop that clips, counts and adds
// in float64 at once.
template <class T> class SixteenHinges {
public:
    LOSSLIB_INLINE SixteenHinges() {
        sum.fill(0.0);
        positive.fill(T(0));
    }
    LOSSLIB_INLINE void add(const T* x, T offset, T slope, T* grad) {
        Batch<T> part, constant;
        part.load(x);
        constant.fill(offset);
        part.add(constant);
        if (grad != nullptr) {
            Batch<T> step = part;
            step.become_step();
            positive.add(step);
            constant.fill(slope);
            step.multiply(constant);
            step.store(grad);
        }
        part.become_hinge();
        add_widened(sum, part);
    }
    LOSSLIB_INLINE void store_sums(double* lane) const { sum.store(lane); }
    LOSSLIB_INLINE void store_counts(T* lane) const { positive.store(lane); }

private:
    Batch<double> sum;
    Batch<T> positive;
};

}  // namespace losslib
