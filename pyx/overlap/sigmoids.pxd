"""A sigmoid and products as counts, where every position counts once: a row in registers.

The first pass can keep of each logit what the second needs, in the place of its derivative, and say for each task
whether that is enough: it is where every target is 0 or 1 and nothing is NaN. Elsewhere the second pass computes the
sigmoid again, to the same bits.
"""

from blocks cimport combine, prefetch, real
from overlap.call cimport (
    ADDEND, BAD_TARGET, COUNTS, CROSS_ENTROPY, DIVISOR, MAX_LANES, NOTHING, POSITIONS, PRODUCT, SIGMOID, Job, address,
    read_row, stands_as,
)
from overlap.probabilities cimport sharp_of, spread_of
from softmax.reduce cimport Batch

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T softplus[T](T x)

cdef extern from "losslib/overlap/lanes.h" namespace "losslib" nogil:
    void exponentials_of[T](const Batch[T]& x, Batch[T]& e)
    void sigmoids_to_keep[T](const Batch[T]& x, const Batch[T]& e, const Batch[T]& t, Batch[T]& p, Batch[T]& q,
                             Batch[T]& kept)
    void lower_sigmoids[T](const Batch[T]& x, const Batch[T]& e, Batch[T]& lower)
    void part_kept[T](const Batch[T]& kept, Batch[T]& lower, Batch[T]& t)
    cppclass SigmoidCounts[T]:
        void start()
        void clear()
        bint marks()
        void add(const Batch[T]& x, const Batch[T]& e, const Batch[T]& t, bint entropic, T all, T spread, T sharp,
                 Batch[T]& kept)
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
        void become(Batch[T]& lower, const Batch[T]& t, bint entropic)

cdef enum:
    LENGTH = 256         # positions whose terms are added in the type of the input, 16 a lane, before float64
    AHEAD = 2048         # bytes that memory is asked for beforehand


cdef inline bint by_sigmoid(const Job* job) noexcept nogil:
    """Whether this module computes the rows of a call in which every position counts once."""
    return (job.activation == SIGMOID and job.counting == PRODUCT and job.clip == 0.0
            and (job.addend == NOTHING or job.addend == CROSS_ENTROPY) and job.field.data == NULL
            and job.distances == NULL)


cdef inline bint all_by_sigmoid(const Job* job) noexcept nogil:
    """Whether it computes all rows of a call: every position counts once, whatever the targets are."""
    return (by_sigmoid(job) and not job.indices and not job.ignoring and job.keep.data == NULL
            and job.weight.data == NULL)


cdef inline real all_of(const Job* job, Py_ssize_t c, real tag) noexcept nogil:
    """What the binary cross-entropy of a class is multiplied by."""
    return <real>(1.0 if job.class_weight == NULL else job.class_weight[c])


cdef inline real entropy_of(real x, real y, real all_y) noexcept nogil:
    """y softplus(-x) + (all - y) softplus(x), which share the logarithm; what has no weight is not there."""
    cdef real other = all_y - y if x > 0 else y, distance = x if x > 0 else -x
    return all_y * softplus(-distance) + (0 if other == 0 else other * distance)


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
    cdef real[LENGTH] exponentials
    cdef real[16] rest_x, rest_t, p, q
    cdef real* place = NULL
    cdef real all_y = all_of(job, c, <real>0), spread = <real>spread_of(job, c), sharp = <real>sharp_of(job, c), y
    cdef Py_ssize_t i = 0, part, j, k
    cdef bint entropic = job.addend == CROSS_ENTROPY, soft = False
    counts.start()
    while i + 16 <= count:
        part = min(<Py_ssize_t>LENGTH, (count - i) // 16 * 16)
        for j in range(0, part, 16):
            prefetch(<const char*>(x + i + j) + AHEAD)
            prefetch(<const char*>(t + i + j) + AHEAD)
            if kept != NULL:
                prefetch(<const char*>(kept + i + j) + AHEAD)
            inputs.load(x + i + j)
            exponentials_of(inputs, e)
            e.store(exponentials + j)
        if kept != NULL:
            place = kept + i
        counts.clear()
        if entropic:
            for j in range(0, part, 16):
                inputs.load(x + i + j)
                targets.load(t + i + j)
                e.load(exponentials + j)
                counts.add(inputs, e, targets, True, all_y, spread, sharp, held)
                if place != NULL:
                    held.store(place + j)
        else:
            for j in range(0, part, 16):
                inputs.load(x + i + j)
                targets.load(t + i + j)
                e.load(exponentials + j)
                counts.add(inputs, e, targets, False, all_y, spread, sharp, held)
                if place != NULL:
                    held.store(place + j)
        totals.add(counts, entropic)
        i += part
    soft = not counts.marks()
    if i < count:
        for k in range(16):
            rest_x[k] = x[i + k] if i + k < count else 0
            rest_t[k] = t[i + k] if i + k < count else 0
        inputs.load(rest_x)
        targets.load(rest_t)
        exponentials_of(inputs, e)
        sigmoids_to_keep(inputs, e, targets, present, missing, held)
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
                extras[ADDEND] += <double>entropy_of(x[i + k], y, all_y)
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


cdef inline const real* whole_batches(const real* row, Py_ssize_t count, real* buffer) noexcept nogil:
    """The row, or a copy that ends with 0 behind the last of sixteen."""
    cdef Py_ssize_t k
    if count % 16 == 0:
        return row
    for k in range(count):
        buffer[k] = row[k]
    for k in range(count, (count + 15) // 16 * 16):
        buffer[k] = 0
    return buffer


cdef inline void finish_slopes(const Job* job, const SigmoidSlope[real]* slope, const real* lower, const real* t,
                               Py_ssize_t count, real* row) noexcept nogil:
    """Write the derivatives of at most LENGTH positions.

    Both arrays are read to the end of the last sixteen. They are in memory, kept or not: a compiler that saw where the
    numbers come from could fuse their products, which would change bits.
    """
    cdef Batch[real] values, targets
    cdef real[LENGTH] buffer
    cdef real* place = row if count % 16 == 0 else <real*>buffer
    cdef Py_ssize_t j
    cdef bint entropic = job.addend == CROSS_ENTROPY
    for j in range(0, count, 16):
        values.load(lower + j)
        targets.load(t + j)
        slope.become(values, targets, entropic)
        values.store(place + j)
    if place != row:
        for j in range(count):
            row[j] = buffer[j]


cdef inline void sigmoid_slope_row(const Job* job, Py_ssize_t n, Py_ssize_t c, Py_ssize_t count, const real* x,
                                   const real* t, real* row) noexcept nogil:
    """The derivatives by the logits of a row."""
    cdef SigmoidSlope[real] slope
    cdef Batch[real] inputs, e, values
    cdef real[LENGTH] lower, rest_x, rest_t
    cdef const real* source
    cdef Py_ssize_t i = 0, part, j
    read_slope(job, n, c, &slope)
    while i < count:
        part = min(<Py_ssize_t>LENGTH, count - i)
        source = whole_batches(x + i, part, <real*>rest_x)
        for j in range(0, part, 16):
            inputs.load(source + j)
            exponentials_of(inputs, e)
            lower_sigmoids(inputs, e, values)
            values.store(lower + j)
        finish_slopes(job, &slope, <const real*>lower, whole_batches(t + i, part, <real*>rest_t), part, row + i)
        i += part


cdef inline void kept_slope_task(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t stop,
                                 real tag) noexcept nogil:
    """The derivatives by the logits of a run of positions, of what the first pass kept in their places."""
    cdef SigmoidSlope[real] slope
    cdef Batch[real] kept, values, targets
    cdef real[LENGTH] lower, marks, rest
    cdef const real* source
    cdef real* row
    cdef Py_ssize_t c, i, part, j
    for c in range(job.classes):
        row = <real*>address(&job.grad, n, c, 0)
        read_slope(job, n, c, &slope)
        i = first
        while i < stop:
            part = min(<Py_ssize_t>LENGTH, stop - i)
            source = whole_batches(<const real*>row + i, part, <real*>rest)
            for j in range(0, part, 16):
                kept.load(source + j)
                part_kept(kept, values, targets)
                values.store(lower + j)
                targets.store(marks + j)
            finish_slopes(job, &slope, <const real*>lower, <const real*>marks, part, row + i)
            i += part
