"""Probabilities p of a row and what is missing to one, q, each with its own digits: q is never a difference 1 - p."""

from libc.string cimport memset

from blocks cimport real
from overlap.call cimport BAD_INPUT, CROSS_ENTROPY, MAX_LANES, SIGMOID, SOFTMAX, Job
from overlap.lanes cimport Lanes, input_row, target_row
from softmax.reduce cimport Batch

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T log1p[T](T x)

cdef extern from "losslib/overlap/lanes.h" namespace "losslib" nogil:
    void exponentials_of[T](const Batch[T]& x, Batch[T]& e)
    void sigmoids[T](const Batch[T]& x, const Batch[T]& e, Batch[T]& p, Batch[T]& q)

cdef enum:
    RUN = 16             # classes whose exponentials are added in the type of the input before float64 takes over

cdef struct Softmax:
    double[MAX_LANES] total        # sum of the exponentials without the largest
    double[MAX_LANES] inverse      # 1 / (1 + total)
    double[MAX_LANES] top          # the largest logit
    double[MAX_LANES] mass         # of the target of the cross-entropy
    double[MAX_LANES] entropy      # the cross-entropy of a position


cdef inline void largest_and_exponentials(real* tile, Py_ssize_t lanes, Py_ssize_t classes, Py_ssize_t width, real* top,
                                          bint exponentials) noexcept nogil:
    """top = the largest of each lane; or tile = exp(tile - top)."""
    cdef Batch[real] largest, terms
    cdef Py_ssize_t g = 0, c
    while g < width:
        if exponentials:
            largest.load(top + g)
            for c in range(classes):
                terms.load(tile + c * lanes + g)
                terms.subtract(largest)
                terms.become_exp()
                terms.store(tile + c * lanes + g)
        else:
            largest.load(tile + g)
            for c in range(1, classes):
                terms.load(tile + c * lanes + g)
                largest.raise_to(terms)
            largest.store(top + g)
        g += 16


cdef inline double spread_of(const Job* job, Py_ssize_t c) noexcept nogil:
    """What smoothing gives to every class: the target of the cross-entropy is spread + sharp t, weighted by class."""
    cdef double uniform = 1.0 / <double>job.classes if job.activation == SOFTMAX else 0.5
    return job.smoothing * uniform * (1.0 if job.class_weight == NULL else job.class_weight[c])


cdef inline double sharp_of(const Job* job, Py_ssize_t c) noexcept nogil:
    return (1.0 - job.smoothing) * (1.0 if job.class_weight == NULL else job.class_weight[c])


cdef inline void softmax_tile(const Job* job, const Lanes* lanes, Py_ssize_t n, Py_ssize_t first, real* tile,
                              Softmax* result) noexcept nogil:
    """tile = exp(x - largest), one row of `job.lanes` numbers a class, with sums and cross-entropies by position."""
    cdef real[MAX_LANES] top, run, ones, buffer
    cdef const real* row
    cdef real* line
    cdef const real* t
    cdef real y, spread, sharp
    cdef Py_ssize_t c, j, count = lanes.count, width = (count + 15) // 16 * 16, step = job.lanes
    for c in range(job.classes):
        line = tile + c * step
        row = input_row(job, lanes, n, c, first, line)
        if row != <const real*>line:
            for j in range(count):
                line[j] = row[j]
        for j in range(count, width):
            line[j] = 0
    largest_and_exponentials(tile, step, job.classes, width, top, False)
    for j in range(count):
        result.top[j] = <double>top[j]
    if job.addend == CROSS_ENTROPY:
        for j in range(count):
            result.entropy[j] = 0.0
            result.mass[j] = 0.0
        if job.indices and job.smoothing == 0.0:
            for j in range(count):
                c = lanes.label[j]
                if c >= 0:
                    result.mass[j] = 1.0 if job.class_weight == NULL else job.class_weight[c]
                    if result.mass[j] != 0.0:
                        result.entropy[j] = result.mass[j] * (result.top[j] - <double>tile[c * step + j])
        else:
            for c in range(job.classes):
                line = tile + c * step
                t = target_row(job, lanes, n, c, first, <real*>buffer)
                spread = <real>spread_of(job, c)
                sharp = <real>sharp_of(job, c)
                for j in range(count):
                    y = spread + sharp * t[j]
                    result.mass[j] += <double>y
                    result.entropy[j] += 0.0 if y == 0 else <double>y * (result.top[j] - <double>line[j])
    largest_and_exponentials(tile, step, job.classes, width, top, True)
    for j in range(width):
        result.total[j] = -1.0
    c = 0
    while c < job.classes:
        for j in range(width):
            run[j] = 0
            ones[j] = 0
        while True:
            line = tile + c * step
            for j in range(width):
                run[j] += 0 if line[j] == 1 else line[j]
                ones[j] += 1 if line[j] == 1 else 0
            c += 1
            if c == job.classes or c % RUN == 0:
                break
        for j in range(width):
            result.total[j] += <double>run[j] + <double>ones[j]
    for j in range(width):
        result.inverse[j] = 1.0 / (1.0 + result.total[j])
    if job.addend == CROSS_ENTROPY:
        for j in range(count):
            result.entropy[j] += 0.0 if result.mass[j] == 0.0 else result.mass[j] * log1p(result.total[j])


cdef inline int probability_row(const Job* job, const Lanes* lanes, const Softmax* softmax, const real* tile,
                                Py_ssize_t n, Py_ssize_t c, Py_ssize_t first, real* p, real* q) noexcept nogil:
    """p and q = 1 - p; BAD_INPUT for a probability outside [0, 1]."""
    cdef const real* x
    cdef const real* row
    cdef real inverse, low, rest
    cdef real[16] rest_x, rest_q
    cdef Batch[real] inputs, e, present, missing
    cdef Py_ssize_t j, k, count = lanes.count
    cdef int bad = 0
    if job.activation == SOFTMAX:
        row = tile + c * job.lanes
        for j in range(count):
            rest = <real>softmax.total[j]
            inverse = <real>softmax.inverse[j]
            p[j] = row[j] * inverse
            # 1 - p is what the other classes have; beside the largest it is no difference of nearly equal numbers.
            q[j] = (rest if row[j] == 1 else rest + (1 - row[j])) * inverse
    elif job.activation == SIGMOID:
        x = input_row(job, lanes, n, c, first, p)
        j = 0
        while j + 16 <= count:
            inputs.load(x + j)
            exponentials_of(inputs, e)
            sigmoids(inputs, e, present, missing)
            present.store(p + j)
            missing.store(q + j)
            j += 16
        if j < count:
            memset(rest_x, 0, sizeof(rest_x))
            for k in range(count - j):
                rest_x[k] = x[j + k]
            inputs.load(rest_x)
            exponentials_of(inputs, e)
            sigmoids(inputs, e, present, missing)
            present.store(rest_x)
            missing.store(rest_q)
            for k in range(count - j):
                p[j + k] = rest_x[k]
                q[j + k] = rest_q[k]
    else:
        x = input_row(job, lanes, n, c, first, p)
        for j in range(count):
            bad |= (x[j] < 0) | (x[j] > 1)
        for j in range(count):
            p[j] = x[j]
            q[j] = 1 - x[j]
    if job.clip > 0.0:
        low = <real>job.clip
        for j in range(count):
            p[j] = low if p[j] < low else (1 - low if q[j] < low else p[j])
            q[j] = 1 - p[j]
    return BAD_INPUT if bad else 0


cdef inline real difference(real p, real q, real t) noexcept nogil:
    """p - t; of a mark t = 1 with all digits of q."""
    return -q if t == 1 else p - t
