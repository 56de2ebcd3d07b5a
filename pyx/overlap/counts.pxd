"""The first pass: what predictions and targets have in common, summed in float64."""

from libc.stdint cimport int32_t

from blocks cimport combine, real, sum_block
from overlap.call cimport (
    ADDEND, BAD_TARGET, COUNTS, CROSS_ENTROPY, DIVISOR, MAX_LANES, POSITIONS, PRODUCT, SIGMOID, SOFTMAX, SQUARED,
    UNIFIED_FOCAL, Job,
)
from overlap.lanes cimport Lanes, fill_lanes, input_row, target_row, weigh, weight_row
from overlap.probabilities cimport Softmax, difference, probability_row, sharp_of, softmax_tile, spread_of
from overlap.sigmoids cimport by_sigmoid, count_sigmoid_row, entropy_of
from softmax.reduce cimport Batch, add_widened

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T log[T](T x)
    T power[T](T x, T y)

cdef extern from "losslib/overlap/lanes.h" namespace "losslib" nogil:
    void add_counts[T](const Batch[T]& p, const Batch[T]& q, const Batch[T]& t, Batch[T]& common, Batch[T]& positive,
                       Batch[T]& negative, Batch[T]& target)


cdef inline void count_products(const real* p, const real* q, const real* t, Py_ssize_t count,
                                double* sums) noexcept nogil:
    """Add the counts of products, every position once: sixteen at a time, eight terms of a lane before float64."""
    cdef Batch[real] first, missing, mark, common, positive, negative, target
    cdef Batch[double] commons, positives, negatives, targets
    cdef real[16] rest_p, rest_q, rest_t
    cdef double[16] lane
    cdef Py_ssize_t i = 0, stop, left, k
    commons.fill(0.0)
    positives.fill(0.0)
    negatives.fill(0.0)
    targets.fill(0.0)
    while i < count:
        common.fill(0)
        positive.fill(0)
        negative.fill(0)
        target.fill(0)
        stop = min(i + 128, count)
        while i < stop:
            left = stop - i
            if left >= 16:
                first.load(p + i)
                missing.load(q + i)
                mark.load(t + i)
            else:
                for k in range(16):
                    rest_p[k] = p[i + k] if k < left else 0
                    rest_q[k] = q[i + k] if k < left else 0
                    rest_t[k] = t[i + k] if k < left else 0
                first.load(rest_p)
                missing.load(rest_q)
                mark.load(rest_t)
            add_counts(first, missing, mark, common, positive, negative, target)
            i += 16
        add_widened(commons, common)
        add_widened(positives, positive)
        add_widened(negatives, negative)
        add_widened(targets, target)
    commons.store(lane)
    sums[0] += combine(lane)
    positives.store(lane)
    sums[1] += combine(lane)
    negatives.store(lane)
    sums[2] += combine(lane)
    targets.store(lane)
    sums[3] += combine(lane)


cdef inline void count_row(const Job* job, const Lanes* lanes, const double* weight, const real* p, const real* q,
                           const real* t, double* sums) noexcept nogil:
    """Add the counts of a row: common, false positive, false negative, target."""
    cdef real[MAX_LANES] common, positive, negative, target
    cdef real d
    cdef Py_ssize_t j, count = lanes.count
    if job.counting == PRODUCT and lanes.whole:
        count_products(p, q, t, count, sums)
        return
    if job.counting == PRODUCT:
        for j in range(count):
            common[j] = p[j] * t[j]
            positive[j] = p[j] * (1 - t[j])
            negative[j] = q[j] * t[j]
            target[j] = t[j]
    elif job.counting == SQUARED:
        for j in range(count):
            d = difference(p[j], q[j], t[j])
            common[j] = p[j] * t[j]
            positive[j] = d * d
            negative[j] = 0
            target[j] = t[j]
    else:
        for j in range(count):
            d = difference(p[j], q[j], t[j])
            common[j] = t[j] if d > 0 else p[j]
            positive[j] = 0 if d < 0 else d
            negative[j] = 0 if d > 0 else -d
            target[j] = t[j]
    if not lanes.whole:
        weigh(lanes, weight, <real*>common)
        weigh(lanes, weight, <real*>positive)
        weigh(lanes, weight, <real*>negative)
        weigh(lanes, weight, <real*>target)
    sums[0] += sum_block(<const real*>common, count)
    sums[1] += sum_block(<const real*>positive, count)
    sums[2] += sum_block(<const real*>negative, count)
    sums[3] += sum_block(<const real*>target, count)


cdef inline void add_to_addend(const Job* job, const Lanes* lanes, const double* weight, Py_ssize_t n, Py_ssize_t c,
                               Py_ssize_t first, const real* p, const real* q, const real* t,
                               double* extras) noexcept nogil:
    """The terms of the addend that belong to a row: binary cross-entropy, or unified focal."""
    cdef real[MAX_LANES] term
    cdef real[MAX_LANES] buffer
    cdef const real* x
    cdef real y, all_y, spread, sharp
    cdef Py_ssize_t j, count = lanes.count
    if job.addend == CROSS_ENTROPY:
        x = input_row(job, lanes, n, c, first, <real*>buffer)
        all_y = <real>(1.0 if job.class_weight == NULL else job.class_weight[c])
        spread = <real>spread_of(job, c)
        sharp = <real>sharp_of(job, c)
        for j in range(count):
            y = spread + sharp * t[j]
            term[j] = entropy_of(x[j], y, all_y)
    elif c == 0:
        for j in range(count):
            term[j] = 0 if t[j] == 0 else -<real>(1.0 - job.delta) * power(q[j], <real>job.gamma) * t[j] * log(p[j])
    else:
        for j in range(count):
            term[j] = 0 if t[j] == 0 else -<real>job.delta * t[j] * log(p[j])
    if not lanes.whole:
        weigh(lanes, weight, <real*>term)
    extras[ADDEND] += sum_block(<const real*>term, count)
    extras[DIVISOR] += lanes.kept


cdef inline int count_distances(const Job* job, const Lanes* lanes, const Softmax* softmax, const real* tile,
                                Py_ssize_t n, Py_ssize_t first, double* sums) noexcept nogil:
    """Counts by the class of the target, with sum_c distance(t, c) p_c as what is wrong at a position.

    Return what left its domain.
    """
    cdef double[MAX_LANES] wrong
    cdef real[MAX_LANES] p, q
    cdef Py_ssize_t j, c, t
    cdef int bad = 0
    for j in range(lanes.count):
        wrong[j] = 0.0
    for c in range(job.classes):
        bad |= probability_row(job, lanes, softmax, tile, n, c, first, <real*>p, <real*>q)
        for j in range(lanes.count):
            t = max(lanes.label[j], <int32_t>0)
            wrong[j] += job.distances[t * job.classes + c] * <double>p[j]
    for j in range(lanes.count):
        t = lanes.label[j]
        if t >= 0:
            sums[COUNTS * t] += lanes.weight[j] * (1.0 - wrong[j])
            sums[COUNTS * t + 1] += lanes.weight[j] * wrong[j]
            sums[COUNTS * t + 3] += lanes.weight[j]
    return bad


cdef inline int count_tile(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t count, real* tile,
                           double* sums) noexcept nogil:
    """Add the sums of a tile to a table; return what left its domain."""
    cdef Lanes lanes
    cdef Softmax softmax
    cdef real[MAX_LANES] p, q, buffer
    cdef double[MAX_LANES] weights
    cdef const real* x
    cdef const real* t
    cdef const double* weight
    cdef double* extras = sums + COUNTS * job.classes
    cdef Py_ssize_t c, j
    cdef bint direct
    cdef int bad = fill_lanes(job, &lanes, n, first, count), outside = 0
    extras[POSITIONS] += lanes.positions
    if job.activation == SOFTMAX:
        softmax_tile(job, &lanes, n, first, tile, &softmax)
        if job.addend == CROSS_ENTROPY:
            if not lanes.whole:
                for j in range(count):
                    softmax.entropy[j] = 0.0 if lanes.weight[j] == 0.0 else lanes.weight[j] * softmax.entropy[j]
            extras[ADDEND] += sum_block(<const double*>softmax.entropy, count)
            if job.indices and job.class_weight != NULL:
                for j in range(count):
                    extras[DIVISOR] += job.class_weight[lanes.label[j]] if lanes.label[j] >= 0 else 0.0
            else:
                extras[DIVISOR] += lanes.kept
        if job.distances != NULL:
            return bad | count_distances(job, &lanes, &softmax, <const real*>tile, n, first, sums)
    elif job.distances != NULL:
        return bad | count_distances(job, &lanes, &softmax, <const real*>tile, n, first, sums)
    direct = lanes.whole and by_sigmoid(job)
    for c in range(job.classes):
        t = target_row(job, &lanes, n, c, first, <real*>buffer)
        if direct:
            x = input_row(job, &lanes, n, c, first, <real*>p)
            if count_sigmoid_row(job, c, count, x, t, sums + COUNTS * c, extras):
                bad |= BAD_TARGET
            continue
        if not job.indices:
            outside = 0
            for j in range(count):
                outside |= (t[j] < 0) | (t[j] > 1)
            bad |= BAD_TARGET if outside else 0
        bad |= probability_row(job, &lanes, &softmax, <const real*>tile, n, c, first, <real*>p, <real*>q)
        weight = weight_row(job, &lanes, n, c, first, weights)
        count_row(job, &lanes, weight, <const real*>p, <const real*>q, t, sums + COUNTS * c)
        if (job.addend == CROSS_ENTROPY and job.activation == SIGMOID) or job.addend == UNIFIED_FOCAL:
            add_to_addend(job, &lanes, weight, n, c, first, <const real*>p, <const real*>q, t, extras)
    return bad
