"""Class indices with a softmax and products as counts, the usual call: the classes of a tile in registers.

One class of a position is right and the others are wrong, so that nothing is made of masks: probabilities of the class
of the target are picked on the way, and what the others have is added for each class over a whole task.
"""

from libc.string cimport memset

from blocks cimport combine, real, sum_block
from overlap.call cimport (
    ADDEND, COUNTS, CROSS_ENTROPY, DIVISOR, MAX_LANES, POSITIONS, PRODUCT, SOFTMAX, UNIFIED_FOCAL, Job, address,
)
from overlap.lanes cimport Lanes, fill_lanes, finish_row, input_row
from softmax.reduce cimport Batch, add_widened

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T log1p[T](T x)

cdef extern from "losslib/simd/stream.h" namespace "losslib" nogil:
    void prefetch(const char* source)

cdef extern from "losslib/overlap/lanes.h" namespace "losslib" nogil:
    void become_exp_apart[T](Batch[T]& e, Batch[T]& run, Batch[T]& ones)
    void pick[T](Batch[T]& picked, const Batch[T]& label, T c, const Batch[T]& value)
    void add_elsewhere[T](Batch[T]& sum, const Batch[T]& e, const Batch[T]& label, T c, const Batch[T]& inverse)
    void refer[T](Batch[T]& reference, const Batch[T]& e, const Batch[T]& label, T c, T here, T elsewhere)
    void add_slope[T](Batch[T]& mean, const Batch[T]& e, const Batch[T]& label, T c, T here, T elsewhere,
                      const Batch[T]& reference)
    void become_derivative[T](Batch[T]& e, const Batch[T]& label, T c, T here, T elsewhere, const Batch[T]& reference,
                              const Batch[T]& inverse, const Batch[T]& mean)
    void become_both_derivatives[T](Batch[T]& e, const Batch[T]& label, T c, T here, T elsewhere,
                                    const Batch[T]& reference, const Batch[T]& inverse, const Batch[T]& mean,
                                    const Batch[T]& mass, const Batch[T]& missing)

cdef enum:
    RUN = 16             # classes whose exponentials are added in the type of the input before float64 takes over


cdef inline bint by_indices(const Job* job) noexcept nogil:
    """Whether this module computes a call."""
    return (job.indices and job.activation == SOFTMAX and job.counting == PRODUCT and job.clip == 0.0
            and job.addend != UNIFIED_FOCAL and job.smoothing == 0.0 and job.distances == NULL
            and job.field.data == NULL and job.weight.classes == 0)


cdef inline void load_classes(const Job* job, const Lanes* lanes, Py_ssize_t n, Py_ssize_t first, real* tile,
                              real* label) noexcept nogil:
    """The logits of a tile, 0 in the lanes that are left over in the last sixteen, and the labels as numbers."""
    cdef const real* row
    cdef real* line
    cdef Py_ssize_t c, j, count = lanes.count, width = (count + 15) // 16 * 16
    for c in range(job.classes):
        line = tile + c * job.lanes
        row = input_row(job, lanes, n, c, first, line)
        if row != <const real*>line:
            for j in range(count):
                line[j] = row[j]
        for j in range(count, width):
            line[j] = 0
    for j in range(count):
        label[j] = <real>lanes.label[j]
    for j in range(count, width):
        label[j] = -1


cdef inline void exponentials(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t count, real* tile,
                              const real* label, double* total, real* top, real* picked, real* chosen,
                              const real* here, const real* elsewhere, real* reference) noexcept nogil:
    """tile = exp(x - top), total = its sum without the largest; picked, chosen = exponential, logit of the target.

    With slopes, here of the target's class and elsewhere of the others, reference is that of the largest logit.
    Meanwhile the next tile is asked for.
    """
    cdef Batch[real] largest, terms, run, ones, labels, right, logit, slope
    cdef Batch[double] sum
    cdef Py_ssize_t g = 0, c, stop, step = job.lanes, width = (count + 15) // 16 * 16
    cdef const char* ahead = address(&job.input, n, 0, first + count)
    while g < width:
        largest.load(tile + g)
        for c in range(1, job.classes):
            terms.load(tile + c * step + g)
            largest.raise_to(terms)
        largest.store(top + g)
        labels.load(label + g)
        right.fill(0)
        logit.fill(0)
        slope.fill(0)
        sum.fill(-1.0)
        c = 0
        while c < job.classes:
            stop = min(c + RUN, job.classes)
            run.fill(0)
            ones.fill(0)
            while c < stop:
                terms.load(tile + c * step + g)
                prefetch(ahead + c * job.input.classes + g * <Py_ssize_t>sizeof(real))
                if chosen != NULL:
                    pick(logit, labels, <real>c, terms)
                terms.subtract(largest)
                become_exp_apart(terms, run, ones)
                terms.store(tile + c * step + g)
                pick(right, labels, <real>c, terms)
                if here != NULL:
                    refer(slope, terms, labels, <real>c, here[c], elsewhere[c])
                c += 1
            add_widened(sum, run)
            add_widened(sum, ones)
        sum.store(total + g)
        right.store(picked + g)
        if chosen != NULL:
            logit.store(chosen + g)
        if here != NULL:
            slope.store(reference + g)
        g += 16


cdef inline double mass_of(const Job* job, const Lanes* lanes, Py_ssize_t j) noexcept nogil:
    """The weight of a position in the cross-entropy: that of its class."""
    if lanes.label[j] < 0:
        return 0.0
    return 1.0 if job.class_weight == NULL else job.class_weight[lanes.label[j]]


cdef inline int count_index_tile(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t count, real* tile,
                                 double* wrong, double* sums) noexcept nogil:
    """Add the sums of a tile to a table, what is wrong to sixteen sums a class; return what left its domain."""
    cdef Lanes lanes
    cdef real[MAX_LANES] label, top, picked, chosen, inverse
    cdef double[MAX_LANES] total, share, common, missing, entropy
    cdef double* extras = sums + COUNTS * job.classes
    cdef Batch[real] terms, labels, scale, run
    cdef Batch[double] sum
    cdef Py_ssize_t c, j, g, width = (count + 15) // 16 * 16
    cdef double e, mass
    cdef int bad = fill_lanes(job, &lanes, n, first, count)
    cdef bint entropic = job.addend == CROSS_ENTROPY
    extras[POSITIONS] += lanes.positions
    load_classes(job, &lanes, n, first, tile, <real*>label)
    exponentials(job, n, first, count, tile, <const real*>label, total, <real*>top, <real*>picked,
                 <real*>chosen if entropic else NULL, <const real*>NULL, <const real*>NULL, <real*>NULL)
    if entropic:
        for j in range(count):
            entropy[j] = (<double>top[j] - <double>chosen[j]) + log1p(total[j])
        if job.class_weight == NULL and lanes.whole:
            extras[DIVISOR] += <double>count
        else:
            for j in range(count):
                mass = mass_of(job, &lanes, j)
                extras[DIVISOR] += mass
                mass *= lanes.weight[j]
                entropy[j] = 0.0 if mass == 0.0 else mass * entropy[j]
        extras[ADDEND] += sum_block(<const double*>entropy, count)
    for j in range(count):
        share[j] = 1.0 / (1.0 + total[j])
    if not lanes.whole:
        for j in range(count):
            share[j] *= lanes.weight[j]
    for j in range(count):
        inverse[j] = <real>share[j]
        e = <double>picked[j]
        common[j] = e * share[j]
        missing[j] = (total[j] if e == 1.0 else total[j] + (1.0 - e)) * share[j]
    for j in range(count, width):
        inverse[j] = 0
    for j in range(count):
        c = lanes.label[j]
        if c >= 0:
            sums[COUNTS * c] += common[j]
            sums[COUNTS * c + 2] += missing[j]
            sums[COUNTS * c + 3] += lanes.weight[j]
    for c in range(job.classes):
        run.fill(0)
        g = 0
        while g < width:
            terms.load(tile + c * job.lanes + g)
            labels.load(<const real*>label + g)
            scale.load(<const real*>inverse + g)
            add_elsewhere(run, terms, labels, <real>c, scale)
            g += 16
        sum.load(wrong + 16 * c)
        add_widened(sum, run)
        sum.store(wrong + 16 * c)
    return bad


cdef inline void start_wrong(const Job* job, double* wrong) noexcept nogil:
    memset(wrong, 0, 16 * job.classes * sizeof(double))


cdef inline void finish_wrong(const Job* job, double* wrong, double* sums) noexcept nogil:
    """Add what was wrong in a task to its table."""
    cdef Py_ssize_t c
    for c in range(job.classes):
        sums[COUNTS * c + 1] += combine(wrong + 16 * c)


cdef inline void index_gradient_tile(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t count, real* tile,
                                     real* slopes) noexcept nogil:
    """Write the derivatives of a tile; `slopes` takes two numbers a class.

    By softmax p_c the derivative of class c is p_c (a_c - sum_k p_k a_k) with the slopes a; those are taken relative
    to the slope of the largest class, whose own derivative is small where its p is nearly 1.
    """
    cdef Lanes lanes
    cdef real[MAX_LANES] label, top, picked, reference, inverse, mass, missing
    cdef double[MAX_LANES] total
    cdef real* here = slopes
    cdef real* elsewhere = slopes + job.classes
    cdef const double* by = job.slopes + 3 * n * job.classes
    cdef Batch[real] terms, labels, scale, mean, held, weights, lacks
    cdef Py_ssize_t c, j, g = 0, step = job.lanes, width = (count + 15) // 16 * 16
    cdef double factor = 0.0 if job.addend_scale == NULL else job.addend_scale[n], e, weight
    cdef bint entropic = job.addend == CROSS_ENTROPY
    fill_lanes(job, &lanes, n, first, count)
    load_classes(job, &lanes, n, first, tile, <real*>label)
    for c in range(job.classes):
        here[c] = <real>(by[3 * c] - by[3 * c + 2])
        elsewhere[c] = <real>by[3 * c + 1]
    exponentials(job, n, first, count, tile, <const real*>label, total, <real*>top, <real*>picked, <real*>NULL,
                 <const real*>here, <const real*>elsewhere, <real*>reference)
    for j in range(width):
        inverse[j] = <real>(1.0 / (1.0 + total[j]))
    if entropic:
        for j in range(count, width):
            mass[j] = 0
            missing[j] = 0
        for j in range(count):
            weight = factor * mass_of(job, &lanes, j)
            e = <double>picked[j]
            mass[j] = <real>weight
            missing[j] = <real>(weight * (total[j] if e == 1.0 else total[j] + (1.0 - e)) / (1.0 + total[j]))
    while g < width:
        labels.load(<const real*>label + g)
        held.load(<const real*>reference + g)
        scale.load(<const real*>inverse + g)
        mean.fill(0)
        for c in range(job.classes):
            terms.load(tile + c * step + g)
            add_slope(mean, terms, labels, <real>c, here[c], elsewhere[c], held)
        mean.multiply(scale)        # the mean slope, less that of the largest class
        if entropic:
            weights.load(<const real*>mass + g)
            lacks.load(<const real*>missing + g)
        for c in range(job.classes):
            terms.load(tile + c * step + g)
            if entropic:
                become_both_derivatives(terms, labels, <real>c, here[c], elsewhere[c], held, scale, mean, weights,
                                        lacks)
            else:
                become_derivative(terms, labels, <real>c, here[c], elsewhere[c], held, scale, mean)
            terms.store(tile + c * step + g)
        g += 16
    for c in range(job.classes):
        finish_row(job, &lanes, lanes.weight, n, c, first, tile + c * step)
