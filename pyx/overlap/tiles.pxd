"""A tile: some positions of one sample with all their classes, in the first-level cache.

Rows of a tile are turned into probabilities p and what is missing to one, q, each with its own digits: q is never
1 - p where p was computed. Sums are those of rows in float64; the derivatives by the counts turn into derivatives by
the input in a second pass, which computes the probabilities again rather than read them from memory.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from blocks cimport real, sum_block
from overlap.call cimport (
    ADDEND, BAD_CLASS, BAD_INPUT, BAD_TARGET, COUNTS, CROSS_ENTROPY, DIVISOR, MAX_LANES, MINIMUM, POSITIONS, PRODUCT,
    PROBABILITIES, SIGMOID, SOFTMAX, SQUARED, UNIFIED_FOCAL, Job, address, read_indices, read_row, write_row,
)
from softmax.reduce cimport Batch

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T exp_nonpositive[T](T x)
    T log[T](T x)
    T log1p[T](T x)
    T power[T](T x, T y)
    T softplus[T](T x)

cdef enum:
    RUN = 16             # classes whose exponentials are added in the type of the input before float64 takes over

cdef struct Lanes:
    Py_ssize_t count
    bint whole           # every position counts once
    bint dropped         # some do not count
    double positions     # those that count, weighted
    double kept          # their number
    int32_t[MAX_LANES] label       # class indices; -1 where a position does not count
    unsigned char[MAX_LANES] keep
    double[MAX_LANES] weight       # 0 where it does not count

cdef struct Softmax:
    double[MAX_LANES] total        # sum of the exponentials without the largest
    double[MAX_LANES] inverse      # 1 / (1 + total)
    double[MAX_LANES] top          # the largest logit
    double[MAX_LANES] mass         # of the target of the cross-entropy
    double[MAX_LANES] entropy      # the cross-entropy of a position


# ---- which positions count ---------------------------------------------------------------------------------------

cdef inline int fill_lanes(const Job* job, Lanes* lanes, Py_ssize_t n, Py_ssize_t first,
                           Py_ssize_t count) noexcept nogil:
    """Read mask, weights and class indices of the positions; return BAD_CLASS for an index that is no class."""
    cdef Py_ssize_t j
    cdef const char* source
    cdef int bad = 0, outside, kept = 0
    cdef bint dropped
    cdef int64_t classes = job.classes
    cdef int64_t[MAX_LANES] index
    lanes.count = count
    lanes.dropped = False
    lanes.whole = not job.indices and job.keep.data == NULL and job.weight.data == NULL
    lanes.positions = lanes.kept = <double>count
    if lanes.whole:
        return 0
    memset(lanes.keep, 1, count)
    if job.keep.data != NULL:
        source = address(&job.keep, n, 0, first)
        for j in range(count):
            lanes.keep[j] = (<const unsigned char*>(source + j * job.keep.positions))[0] != 0
    if job.indices:
        read_indices(&job.target, n, first, index, count)
        if job.ignoring:
            for j in range(count):
                lanes.keep[j] &= index[j] != job.ignored
        for j in range(count):
            outside = (index[j] < 0) | (index[j] >= classes)
            bad |= outside & lanes.keep[j]
            lanes.keep[j] &= not outside
        for j in range(count):
            lanes.label[j] = <int32_t>index[j] if lanes.keep[j] else -1
    for j in range(count):
        kept += lanes.keep[j]
    dropped = kept < count
    lanes.dropped = dropped
    lanes.kept = lanes.positions = <double>kept
    lanes.whole = not dropped and job.weight.data == NULL
    if job.weight.data != NULL and job.weight.classes == 0:
        source = address(&job.weight, n, 0, first)
        for j in range(count):
            lanes.weight[j] = (<const double*>(source + j * job.weight.positions))[0] if lanes.keep[j] else 0.0
    else:
        for j in range(count):
            lanes.weight[j] = 1.0 if lanes.keep[j] else 0.0
    lanes.positions = sum_block(<const double*>lanes.weight, count)
    return BAD_CLASS if bad else 0


cdef inline const real* input_row(const Job* job, const Lanes* lanes, Py_ssize_t n, Py_ssize_t c, Py_ssize_t first,
                                  real* buffer) noexcept nogil:
    """The inputs of a row, 0 where a position does not count: what stands there is not looked at."""
    cdef const real* row = read_row(&job.input, n, c, first, lanes.count, buffer)
    cdef Py_ssize_t j
    if lanes.dropped:
        for j in range(lanes.count):
            buffer[j] = row[j] if lanes.keep[j] else 0
        return buffer
    return row


cdef inline const real* target_row(const Job* job, const Lanes* lanes, Py_ssize_t n, Py_ssize_t c, Py_ssize_t first,
                                   real* buffer) noexcept nogil:
    cdef const real* row
    cdef Py_ssize_t j
    cdef int32_t label = <int32_t>c
    if job.indices:
        for j in range(lanes.count):
            buffer[j] = 1 if lanes.label[j] == label else 0
        return buffer
    row = read_row(&job.target, n, c, first, lanes.count, buffer)
    if lanes.dropped:
        for j in range(lanes.count):
            buffer[j] = row[j] if lanes.keep[j] else 0
        return buffer
    return row


cdef inline const double* weight_row(const Job* job, const Lanes* lanes, Py_ssize_t n, Py_ssize_t c, Py_ssize_t first,
                                     double* buffer) noexcept nogil:
    """The weights of a row, by position or by position and class."""
    cdef const char* source
    cdef Py_ssize_t j
    if job.weight.data == NULL or job.weight.classes == 0:
        return lanes.weight
    source = address(&job.weight, n, c, first)
    for j in range(lanes.count):
        buffer[j] = (<const double*>(source + j * job.weight.positions))[0] if lanes.keep[j] else 0.0
    return buffer


# ---- probabilities -----------------------------------------------------------------------------------------------

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
    cdef const real* e
    cdef real power_, inverse, low, high, rest
    cdef Py_ssize_t j, count = lanes.count
    cdef int bad = 0
    if job.activation == SOFTMAX:
        e = tile + c * job.lanes
        for j in range(count):
            rest = <real>softmax.total[j]
            inverse = <real>softmax.inverse[j]
            p[j] = e[j] * inverse
            # 1 - p is what the other classes have; beside the largest it is no difference of nearly equal numbers.
            q[j] = (rest if e[j] == 1 else rest + (1 - e[j])) * inverse
    elif job.activation == SIGMOID:
        x = input_row(job, lanes, n, c, first, p)
        for j in range(count):
            power_ = exp_nonpositive(-x[j] if x[j] > 0 else x[j])
            high = 1 / (1 + power_)
            low = power_ * high
            q[j] = low if x[j] > 0 else high
            p[j] = high if x[j] > 0 else low
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


# ---- the first pass: sums ----------------------------------------------------------------------------------------

cdef inline void weigh(const Lanes* lanes, const double* weight, real* row) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(lanes.count):
        row[j] = <real>(row[j] * weight[j])


cdef inline void count_row(const Job* job, const Lanes* lanes, const double* weight, const real* p, const real* q,
                           const real* t, double* sums) noexcept nogil:
    """Add the counts of a row: common, false positive, false negative, target."""
    cdef real[MAX_LANES] common, positive, negative, target
    cdef real d
    cdef Py_ssize_t j, count = lanes.count
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
            # y softplus(-x) + (all - y) softplus(x), which share the logarithm
            term[j] = (all_y * softplus(-x[j] if x[j] > 0 else x[j])
                       + (all_y - y if x[j] > 0 else y) * (x[j] if x[j] > 0 else -x[j]))
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


cdef inline void count_indices(const Job* job, const Lanes* lanes, const Softmax* softmax, real* tile,
                               double* sums) noexcept nogil:
    """The counts of a tile of exponentials against class indices: one class of a position is right, the rest wrong."""
    cdef real[MAX_LANES] inverse, wrong
    cdef Py_ssize_t j, c, count = lanes.count
    cdef double[MAX_LANES] share
    cdef double e
    cdef real* line
    for j in range(count):
        share[j] = softmax.inverse[j]
    if not lanes.whole:
        for j in range(count):
            share[j] *= lanes.weight[j]
    for j in range(count):
        inverse[j] = <real>share[j]
    for j in range(count):
        c = lanes.label[j]
        if c >= 0:
            e = <double>tile[c * job.lanes + j]
            sums[COUNTS * c] += e * share[j]
            sums[COUNTS * c + 2] += (softmax.total[j] if e == 1.0 else softmax.total[j] + (1.0 - e)) * share[j]
            sums[COUNTS * c + 3] += lanes.weight[j]
            tile[c * job.lanes + j] = 0
    for c in range(job.classes):
        line = tile + c * job.lanes
        for j in range(count):
            wrong[j] = line[j] * inverse[j]
        sums[COUNTS * c + 1] += sum_block(<const real*>wrong, count)


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
    cdef const real* t
    cdef const double* weight
    cdef double* extras = sums + COUNTS * job.classes
    cdef Py_ssize_t c, j
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
        if job.indices and job.counting == PRODUCT and job.clip == 0.0 and job.addend != UNIFIED_FOCAL:
            count_indices(job, &lanes, &softmax, tile, sums)
            return bad
    elif job.distances != NULL:
        return bad | count_distances(job, &lanes, &softmax, <const real*>tile, n, first, sums)
    for c in range(job.classes):
        bad |= probability_row(job, &lanes, &softmax, <const real*>tile, n, c, first, <real*>p, <real*>q)
        t = target_row(job, &lanes, n, c, first, <real*>buffer)
        if not job.indices:
            outside = 0
            for j in range(count):
                outside |= (t[j] < 0) | (t[j] > 1)
            bad |= BAD_TARGET if outside else 0
        weight = weight_row(job, &lanes, n, c, first, weights)
        count_row(job, &lanes, weight, <const real*>p, <const real*>q, t, sums + COUNTS * c)
        if (job.addend == CROSS_ENTROPY and job.activation == SIGMOID) or job.addend == UNIFIED_FOCAL:
            add_to_addend(job, &lanes, weight, n, c, first, <const real*>p, <const real*>q, t, extras)
    return bad


# ---- the second pass: derivatives --------------------------------------------------------------------------------

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


cdef inline void index_slopes(const Job* job, const Lanes* lanes, Py_ssize_t n, Py_ssize_t c, const real* e,
                              real* slope, real* reference) noexcept nogil:
    """`slope_row` of products with class indices, and where the class is the largest its slope as the reference."""
    cdef const double* by = job.slopes + 3 * (n * job.classes + c)
    cdef real elsewhere = <real>by[1], here = <real>(by[0] - by[2])
    cdef int32_t label = <int32_t>c
    cdef Py_ssize_t j
    for j in range(lanes.count):
        slope[j] = here if lanes.label[j] == label else elsewhere
        reference[j] = slope[j] if e[j] == 1 else reference[j]


cdef inline void finish_row(const Job* job, const Lanes* lanes, const double* weight, Py_ssize_t n, Py_ssize_t c,
                            Py_ssize_t first, real* row) noexcept nogil:
    """Weigh a row of the gradient, unless weights are NULL, and write it; 0 where a position does not count, whatever was computed."""
    cdef Py_ssize_t j
    if weight != NULL and not lanes.whole:
        weigh(lanes, weight, row)
    if lanes.dropped:
        for j in range(lanes.count):
            row[j] = row[j] if lanes.keep[j] else 0
    write_row(job, &job.grad, n, c, first, lanes.count, row)


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
    cdef bint entropy = job.addend == CROSS_ENTROPY, done = False
    # Counts that are products of both have slopes that depend on the target alone.
    cdef bint by_probability = (job.activation != SOFTMAX or job.counting != PRODUCT or job.clip > 0.0
                                or job.addend == UNIFIED_FOCAL or job.target_grad.data != NULL)
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
    if job.indices and job.activation == SOFTMAX and not by_probability and job.field.data == NULL \
            and job.distances == NULL:
        for c in range(job.classes):
            index_slopes(job, &lanes, n, c, <const real*>tile + c * step, slopes + c * step, <real*>reference)
        done = True
    for c in range(0 if done else job.classes):
        if by_probability:
            probability_row(job, &lanes, &softmax, <const real*>tile, n, c, first, <real*>p, <real*>q)
        t = target_row(job, &lanes, n, c, first, <real*>buffer)
        weight = weight_row(job, &lanes, n, c, first, weights)
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
