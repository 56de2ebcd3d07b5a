// Sums of hinges over the scores of a row. The loops over rows are in pyx/margin.pyx.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/simd/batch.h"

namespace losslib {

// Takes sixteen scores at a time: adds max(0, x + offset), NaN staying, to sixteen float64 sums; if a gradient is wanted,
// counts the positive ones and writes `slope` in their places, 0 in the others. GCC vectorises no loop that clips,
// counts and adds in float64 at once.
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
