"""A sigmoid and products as counts, where every position counts once: a row in registers.

The first pass can keep of each logit what the second needs, in the place of its derivative, and say for each task
whether that is enough: it is where every target is 0 or 1 and nothing is NaN. Elsewhere the second pass computes the
sigmoid again, to the same bits.
"""

from blocks cimport combine, real
from overlap.call cimport (
    ADDEND, BAD_TARGET, COUNTS, CROSS_ENTROPY, DIVISOR, MAX_LANES, NOTHING, POSITIONS, PRODUCT, SIGMOID, Job, address,
    read_row, stands_as,
)
from overlap.probabilities cimport sharp_of, spread_of
from softmax.reduce cimport Batch

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T softplus[T](T x)

cdef extern from "losslib/overlap/lanes.h" namespace "losslib" nogil:
    void sigmoids_to_keep[T](const Batch[T]& x, const Batch[T]& t, Batch[T]& e, Batch[T]& p, Batch[T]& q,
                             Batch[T]& kept)
    cppclass SigmoidCounts[T]:
        void start()
        void clear()
        bint marks()
        void add(const Batch[T]& x, const Batch[T]& t, bint entropic, T all, T spread, T sharp, Batch[T]& kept)
    cppclass SigmoidSums:
        Batch[double] common
        Batch[double] positive
        Batch[double] negative
        Batch[double] target
        Batch[double] entropy
        void start()
        void add[T](const SigmoidCounts[T]& counts, bint entropic)
    cppclass SigmoidSlope[T]:
        T positive
        T turn
        T scale
        T all
        T spread
        T sharp
        void become(Batch[T]& x, const Batch[T]& t, bint entropic)
        void become_of_kept(Batch[T]& kept, bint entropic)

cdef enum:
    LENGTH = 256         # positions whose terms are added in the type of the input, 16 a lane, before float64


cdef inline bint by_sigmoid(const Job* job) noexcept nogil:
    """Whether this module computes the rows of a call in which every position counts once."""
    return (job.activation == SIGMOID and job.counting == PRODUCT and job.clip == 0.0
            and (job.addend == NOTHING or job.addend == CROSS_ENTROPY) and job.field.data == NULL
            and job.distances == NULL)


cdef inline bint all_by_sigmoid(const Job* job) noexcept nogil:
    """Whether it computes all rows of a call: every position counts once, whatever the targets are."""
    return by_sigmoid(job) and not job.indices and job.keep.data == NULL and job.weight.data == NULL


cdef inline real all_of(const Job* job, Py_ssize_t c, real tag) noexcept nogil:
    """What the binary cross-entropy of a class is multiplied by."""
    return <real>(1.0 if job.class_weight == NULL else job.class_weight[c])


# ---- the first pass ------------------------------------------------------------------------------------------------

cdef inline bint leave_unit(const real* t, Py_ssize_t count) noexcept nogil:
    """Whether a number lies outside [0, 1]; NaN does not."""
    cdef Py_ssize_t i
    cdef int outside = 0
    for i in range(count):
        outside |= (t[i] < 0) | (t[i] > 1)
    return outside != 0


cdef inline bint add_sigmoid_row(const Job* job, Py_ssize_t c, Py_ssize_t count, const real* x, const real* t,
                                 SigmoidSums* totals, double* sums, double* extras, real* kept,
                                 bint* marks) noexcept nogil:
    """Add the counts of a row and its cross-entropies; return whether a target lies outside [0, 1].

    What is left over behind the last sixteen positions is added to the table itself. Unless `kept` is NULL, it takes
    what the second pass needs; `marks` becomes false where a target is neither 0 nor 1.
    """
    cdef SigmoidCounts[real] counts
    cdef Batch[real] inputs, targets, e, present, missing, held
    cdef real[16] rest_x, rest_t, p, q
    cdef real all_y = all_of(job, c, <real>0), spread = <real>spread_of(job, c), sharp = <real>sharp_of(job, c), y
    cdef Py_ssize_t i = 0, stop, k
    cdef bint entropic = job.addend == CROSS_ENTROPY, soft = False
    counts.start()
    while i + 16 <= count:
        stop = min(i + LENGTH, count // 16 * 16)
        counts.clear()
        # One loop for each of what is wanted.
        if entropic:
            while i < stop:
                inputs.load(x + i)
                targets.load(t + i)
                counts.add(inputs, targets, True, all_y, spread, sharp, held)
                if kept != NULL:
                    held.store(kept + i)
                i += 16
        elif kept != NULL:
            while i < stop:
                inputs.load(x + i)
                targets.load(t + i)
                counts.add(inputs, targets, False, all_y, spread, sharp, held)
                held.store(kept + i)
                i += 16
        else:
            while i < stop:
                inputs.load(x + i)
                targets.load(t + i)
                counts.add(inputs, targets, False, all_y, spread, sharp, held)
                i += 16
        totals.add(counts, entropic)
    soft = not counts.marks()
    if i < count:
        for k in range(16):
            rest_x[k] = x[i + k] if i + k < count else 0
            rest_t[k] = t[i + k] if i + k < count else 0
        inputs.load(rest_x)
        targets.load(rest_t)
        sigmoids_to_keep(inputs, targets, e, present, missing, held)
        present.store(p)
        missing.store(q)
        held.store(rest_x)
        for k in range(count - i):
            sums[0] += <double>(p[k] * rest_t[k])
            sums[1] += <double>(p[k] * (1 - rest_t[k]))
            sums[2] += <double>(q[k] * rest_t[k])
            sums[3] += <double>rest_t[k]
            soft = soft or not (rest_t[k] == 0 or rest_t[k] == 1)
            if entropic:
                y = spread + sharp * rest_t[k]
                extras[ADDEND] += <double>(y * softplus(-x[i + k]) + (all_y - y) * softplus(x[i + k]))
            if kept != NULL:
                kept[i + k] = rest_x[k]
    if entropic:
        extras[DIVISOR] += <double>count
    marks[0] = marks[0] and not soft
    return soft and leave_unit(t, count)


cdef inline double total_of(const Batch[double]& sum) noexcept nogil:
    cdef double[16] lane
    sum.store(lane)
    return combine(lane)


cdef inline void add_totals(const Job* job, const SigmoidSums* totals, double* sums, double* extras) noexcept nogil:
    sums[0] += total_of(totals.common)
    sums[1] += total_of(totals.positive)
    sums[2] += total_of(totals.negative)
    sums[3] += total_of(totals.target)
    if job.addend == CROSS_ENTROPY:
        extras[ADDEND] += total_of(totals.entropy)


cdef inline bint count_sigmoid_row(const Job* job, Py_ssize_t c, Py_ssize_t count, const real* x, const real* t,
                                   double* sums, double* extras) noexcept nogil:
    """Add the counts of a row and its cross-entropies; return whether a target lies outside [0, 1]."""
    cdef SigmoidSums totals
    cdef bint marks = True, outside
    totals.start()
    outside = add_sigmoid_row(job, c, count, x, t, &totals, sums, extras, <real*>NULL, &marks)
    add_totals(job, &totals, sums, extras)
    return outside


cdef inline int count_sigmoid_task(const Job* job, Py_ssize_t task, Py_ssize_t n, Py_ssize_t first, Py_ssize_t stop,
                                   double* sums, real tag) noexcept nogil:
    """Add the sums of a run of positions to a table and say what is kept; return what left its domain."""
    cdef SigmoidSums totals
    cdef real[MAX_LANES] inputs, targets
    cdef double* extras = sums + COUNTS * job.classes
    cdef real* kept = NULL
    cdef Py_ssize_t c, i, k, count, most = stop - first
    cdef bint marks = True, outside = False, known = True
    if not (stands_as(&job.input, <real>0) and stands_as(&job.target, <real>0)):
        most = MAX_LANES    # those that a buffer takes
    extras[POSITIONS] += <double>(stop - first)
    for c in range(job.classes):
        totals.start()
        i = first
        while i < stop:
            count = min(most, stop - i)
            if job.kept != NULL:
                kept = <real*>address(&job.grad, n, c, i)
            outside |= add_sigmoid_row(job, c, count, read_row(&job.input, n, c, i, count, <real*>inputs),
                                       read_row(&job.target, n, c, i, count, <real*>targets), &totals,
                                       sums + COUNTS * c, extras, kept, &marks)
            i += count
        add_totals(job, &totals, sums + COUNTS * c, extras)
        for k in range(COUNTS):
            known &= sums[COUNTS * c + k] == sums[COUNTS * c + k]
    if job.kept != NULL:
        job.kept[task] = marks and known
    return BAD_TARGET if outside else 0


# ---- the second pass -----------------------------------------------------------------------------------------------

cdef inline void read_slope(const Job* job, Py_ssize_t n, Py_ssize_t c, SigmoidSlope[real]* slope) noexcept nogil:
    cdef const double* by = job.slopes + 3 * (n * job.classes + c)
    slope.positive = <real>by[1]
    slope.turn = <real>(by[0] - by[1] - by[2])
    slope.scale = <real>(0.0 if job.addend_scale == NULL else job.addend_scale[n])
    slope.all = all_of(job, c, <real>0)
    slope.spread = <real>spread_of(job, c)
    slope.sharp = <real>sharp_of(job, c)


cdef inline void sigmoid_slope_row(const Job* job, Py_ssize_t n, Py_ssize_t c, Py_ssize_t count, const real* x,
                                   const real* t, real* row) noexcept nogil:
    """The derivatives by the logits of a row."""
    cdef SigmoidSlope[real] slope
    cdef Batch[real] inputs, targets
    cdef real[16] rest_x, rest_t
    cdef Py_ssize_t j = 0, k
    cdef bint entropic = job.addend == CROSS_ENTROPY
    read_slope(job, n, c, &slope)
    while j + 16 <= count:
        inputs.load(x + j)
        targets.load(t + j)
        slope.become(inputs, targets, entropic)
        inputs.store(row + j)
        j += 16
    if j < count:
        for k in range(16):
            rest_x[k] = x[j + k] if j + k < count else 0
            rest_t[k] = t[j + k] if j + k < count else 0
        inputs.load(rest_x)
        targets.load(rest_t)
        slope.become(inputs, targets, entropic)
        inputs.store(rest_x)
        for k in range(count - j):
            row[j + k] = rest_x[k]


cdef inline void kept_slope_task(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t stop,
                                 real tag) noexcept nogil:
    """The derivatives by the logits of a run of positions, of what the first pass kept in their places."""
    cdef SigmoidSlope[real] slope
    cdef Batch[real] held
    cdef real[16] rest
    cdef real* row
    cdef Py_ssize_t c, j, k, count = stop - first
    cdef bint entropic = job.addend == CROSS_ENTROPY
    for c in range(job.classes):
        row = <real*>address(&job.grad, n, c, first)
        read_slope(job, n, c, &slope)
        j = 0
        while j + 16 <= count:
            held.load(row + j)
            slope.become_of_kept(held, entropic)
            held.store(row + j)
            j += 16
        if j < count:
            for k in range(16):
                rest[k] = row[j + k] if j + k < count else 0
            held.load(rest)
            slope.become_of_kept(held, entropic)
            held.store(rest)
            for k in range(count - j):
                row[j + k] = rest[k]
