"""The second pass: derivatives by the counts turn into derivatives by input and target.

The probabilities are computed again rather than read from memory.
"""

from libc.stdint cimport int32_t

from blocks cimport real
from overlap.call cimport (
    CROSS_ENTROPY, MAX_LANES, PRODUCT, SIGMOID, SOFTMAX, SQUARED, UNIFIED_FOCAL, Job, read_row, write_row,
)
from overlap.lanes cimport Lanes, fill_lanes, finish_row, input_row, target_row, weigh, weight_row
from overlap.probabilities cimport Softmax, difference, probability_row, sharp_of, softmax_tile, spread_of
from overlap.sigmoids cimport by_sigmoid, sigmoid_slope_row

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T log[T](T x)
    T log1p[T](T x)
    T power[T](T x, T y)


cdef inline double addend_scale_of(const Job* job, Py_ssize_t n) noexcept nogil:
    return 0.0 if job.addend_scale == NULL else job.addend_scale[n]


cdef inline void slope_row(const Job* job, const Lanes* lanes, Py_ssize_t n, Py_ssize_t c, Py_ssize_t first,
                           const real* p, const real* q, const real* t, real* slope) noexcept nogil:
    """The derivatives by the probabilities of a row."""
    cdef const double* by = job.slopes + 3 * (n * job.classes + c)
    cdef const real* given
    cdef real common = 0, positive = 0, turn = 0, s, low = <real>job.clip, scale = <real>addend_scale_of(job, n), factor
    cdef Py_ssize_t j, label, count = lanes.count
    if job.field.data != NULL:
        given = read_row(&job.field, n, c, first, count, slope)
        common = <real>by[0]
        for j in range(count):
            slope[j] = given[j] * common
        return
    if job.distances != NULL:
        by = job.slopes + 3 * n * job.classes
        for j in range(count):
            label = max(lanes.label[j], <int32_t>0)
            slope[j] = <real>((by[3 * label + 1] - by[3 * label]) * job.distances[label * job.classes + c])
        return
    positive = <real>by[1]
    if job.counting == SQUARED:
        common = <real>by[0]
        for j in range(count):
            slope[j] = common * t[j] + 2 * positive * difference(p[j], q[j], t[j])
    else:
        turn = <real>(by[0] - by[1] - by[2])
        if job.counting == PRODUCT:
            for j in range(count):
                slope[j] = positive + turn * t[j]
        else:
            for j in range(count):
                s = 1 if p[j] < t[j] else (<real>0.5 if p[j] == t[j] else 0)
                slope[j] = positive + turn * s
    if job.addend == UNIFIED_FOCAL:
        if c == 0:
            factor = <real>(1.0 - job.delta) * scale
            for j in range(count):
                s = power(q[j], <real>job.gamma)
                slope[j] += 0 if t[j] == 0 else factor * t[j] * (<real>job.gamma * s / q[j] * log(p[j]) - s / p[j])
        else:
            factor = <real>job.delta * scale
            for j in range(count):
                slope[j] -= factor * t[j] / p[j]
    if job.clip > 0.0:
        for j in range(count):
            slope[j] = slope[j] if (p[j] > low) & (q[j] > low) else 0


cdef inline void target_slope_row(const Job* job, const Lanes* lanes, const Softmax* softmax, const double* weight,
                                  Py_ssize_t n, Py_ssize_t c, Py_ssize_t first, const real* p, const real* q,
                                  const real* t) noexcept nogil:
    """The derivatives by the target of a row, written where they belong."""
    cdef const double* by = job.slopes + 3 * (n * job.classes + c)
    cdef real common = <real>by[0], positive = <real>by[1], negative = <real>by[2], s
    cdef real[MAX_LANES] row, buffer
    cdef const real* x
    cdef double scale
    cdef Py_ssize_t j, count = lanes.count
    if job.counting == PRODUCT:
        for j in range(count):
            row[j] = (common - positive) * p[j] + negative * q[j]
    elif job.counting == SQUARED:
        for j in range(count):
            row[j] = common * p[j] - 2 * positive * difference(p[j], q[j], t[j])
    else:
        for j in range(count):
            s = 1 if t[j] < p[j] else (<real>0.5 if p[j] == t[j] else 0)
            row[j] = s * (common - positive) + (1 - s) * negative
    if job.addend == CROSS_ENTROPY:
        scale = addend_scale_of(job, n) * (1.0 - job.smoothing)
        if job.class_weight != NULL:
            scale = scale * job.class_weight[c]
        x = input_row(job, lanes, n, c, first, <real*>buffer)
        for j in range(count):
            if job.activation == SOFTMAX:
                row[j] += <real>(scale * (log1p(softmax.total[j]) + (softmax.top[j] - <double>x[j])))
            else:
                row[j] -= <real>(scale * <double>x[j])
    if not lanes.whole:
        weigh(lanes, weight, <real*>row)
    if lanes.dropped:
        for j in range(count):
            row[j] = row[j] if lanes.keep[j] else 0
    write_row(job, &job.target_grad, n, c, first, count, <const real*>row)


cdef inline void gradient_tile(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t count, real* tile,
                               real* slopes) noexcept nogil:
    """Write the derivatives of a tile; `slopes` takes one row a class for softmax.

    By softmax p_c the derivative of class c is p_c (a_c - sum_k p_k a_k) with the slopes a; those are taken relative
    to the slope of the largest class, whose own derivative is small where its p is nearly 1.
    """
    cdef Lanes lanes
    cdef Softmax softmax
    cdef real[MAX_LANES] p, q, buffer, reference, mean, inverse, mass
    cdef double[MAX_LANES] weights
    cdef const real* t
    cdef const double* weight
    cdef real* a
    cdef real* e
    cdef real scale = <real>addend_scale_of(job, n), y, all_y, spread, sharp
    cdef Py_ssize_t c, j, step = job.lanes
    cdef bint entropy = job.addend == CROSS_ENTROPY
    # Counts that are products of both have slopes that depend on the target alone.
    cdef bint direct = by_sigmoid(job) and job.target_grad.data == NULL
    cdef bint by_probability = not direct and (job.activation != SOFTMAX or job.counting != PRODUCT or job.clip > 0.0
                                               or job.addend == UNIFIED_FOCAL or job.target_grad.data != NULL)
    cdef const real* x
    fill_lanes(job, &lanes, n, first, count)
    if job.activation == SOFTMAX:
        softmax_tile(job, &lanes, n, first, tile, &softmax)
        for j in range(count):
            inverse[j] = <real>softmax.inverse[j]
            reference[j] = 0
            mean[j] = 0
        if entropy:
            for j in range(count):
                mass[j] = <real>softmax.mass[j]
    for c in range(job.classes):
        if by_probability:
            probability_row(job, &lanes, &softmax, <const real*>tile, n, c, first, <real*>p, <real*>q)
        t = target_row(job, &lanes, n, c, first, <real*>buffer)
        weight = weight_row(job, &lanes, n, c, first, weights)
        if direct:
            x = input_row(job, &lanes, n, c, first, <real*>p)
            sigmoid_slope_row(job, n, c, count, x, t, slopes)
            finish_row(job, &lanes, weight, n, c, first, slopes)
            continue
        a = slopes + c * step if job.activation == SOFTMAX else slopes
        slope_row(job, &lanes, n, c, first, <const real*>p, <const real*>q, t, a)
        if job.target_grad.data != NULL:
            target_slope_row(job, &lanes, &softmax, weight, n, c, first, <const real*>p, <const real*>q, t)
        if job.grad.data == NULL:
            continue
        if job.activation == SOFTMAX:
            if job.weight.classes != 0:     # weights of classes are those of the slopes, before they meet
                weigh(&lanes, weight, a)
            e = tile + c * step
            for j in range(count):
                reference[j] = a[j] if e[j] == 1 else reference[j]
            continue
        if job.activation == SIGMOID:
            for j in range(count):
                a[j] = a[j] * (p[j] * q[j])
            if entropy:
                all_y = <real>(1.0 if job.class_weight == NULL else job.class_weight[c])
                spread = <real>spread_of(job, c)
                sharp = <real>sharp_of(job, c)
                for j in range(count):
                    y = spread + sharp * t[j]
                    a[j] += scale * (-all_y * q[j] if y == all_y else all_y * p[j] - y)
        finish_row(job, &lanes, weight, n, c, first, a)
    if job.activation != SOFTMAX or job.grad.data == NULL:
        return
    for c in range(job.classes):
        a = slopes + c * step
        e = tile + c * step
        for j in range(count):
            mean[j] += e[j] * (a[j] - reference[j])
    for j in range(count):
        mean[j] = mean[j] * inverse[j]      # the mean slope, less that of the largest class
    for c in range(job.classes):
        a = slopes + c * step
        e = tile + c * step
        for j in range(count):
            a[j] = e[j] * inverse[j] * ((a[j] - reference[j]) - mean[j])
        if entropy:
            probability_row(job, &lanes, &softmax, <const real*>tile, n, c, first, <real*>p, <real*>q)
            t = target_row(job, &lanes, n, c, first, <real*>buffer)
            spread = <real>spread_of(job, c)
            sharp = <real>sharp_of(job, c)
            for j in range(count):
                y = spread + sharp * t[j]
                a[j] += scale * (-mass[j] * q[j] if y == mass[j] else mass[j] * p[j] - y)
        if job.weight.classes != 0:
            finish_row(job, &lanes, NULL, n, c, first, a)
            continue
        weight = weight_row(job, &lanes, n, c, first, weights)
        finish_row(job, &lanes, weight, n, c, first, a)
