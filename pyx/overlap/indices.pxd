"""Class indices with a softmax and products as counts, the usual call: the classes of a tile in registers.

The logit of the target is taken out of the tile, with -inf in its place. What the other classes have is a plain sum of
exponentials then, with all its digits beside a target that has nearly everything, and no loop over the classes asks
which of them is the target.
"""

from libc.math cimport INFINITY
from libc.string cimport memset

from blocks cimport combine, real, sum_block
from overlap.call cimport (
    ADDEND, COUNTS, CROSS_ENTROPY, DIVISOR, MAX_LANES, POSITIONS, PRODUCT, SOFTMAX, UNIFIED_FOCAL, Job, address,
    first_count,
)
from overlap.lanes cimport Lanes, fill_lanes, finish_row, input_row
from softmax.reduce cimport Batch, add_widened

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T log1p[T](T x)

cdef extern from "losslib/simd/stream.h" namespace "losslib" nogil:
    void prefetch(const char* source)

cdef extern from "losslib/overlap/lanes.h" namespace "losslib" nogil:
    void follow[T](Batch[T]& held, const Batch[T]& largest, const Batch[T]& terms, T number)
    void add_product[T](Batch[T]& sum, const Batch[T]& a, const Batch[T]& b)
    void add_slope[T](Batch[T]& mean, const Batch[T]& e, T slope, const Batch[T]& reference)
    void become_derivative[T](Batch[T]& e, T slope, const Batch[T]& reference, const Batch[T]& inverse,
                              const Batch[T]& mean)

cdef enum:
    RUN = 16             # classes whose exponentials are added in the type of the input before float64 takes over
    WAYS = 4             # tables that targets are counted in by turns: the next position mostly has the same class
    HELD = 3             # common, false negative and target of a class in those


cdef inline bint by_indices(const Job* job) noexcept nogil:
    """Whether this module computes a call."""
    return (job.indices and job.activation == SOFTMAX and job.counting == PRODUCT and job.clip == 0.0
            and job.addend != UNIFIED_FOCAL and job.smoothing == 0.0 and job.distances == NULL
            and job.field.data == NULL and job.weight.classes == 0)


cdef inline Py_ssize_t index_scratch(const Job* job) noexcept nogil:
    """Bytes of a tile, with a row in front of it for positions without a target, and of what a task counts in."""
    cdef Py_ssize_t rows = job.classes + 1
    return (rows * job.lanes + 16 * job.classes + WAYS * HELD * rows) * <Py_ssize_t>sizeof(double)


cdef inline void load_classes(const Job* job, const Lanes* lanes, Py_ssize_t n, Py_ssize_t first,
                              real* tile) noexcept nogil:
    """The logits of a tile, 0 in the lanes that are left over in the last sixteen and where nothing counts."""
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
    if lanes.dropped:
        memset(tile - job.lanes, 0, count * sizeof(real))


cdef inline void find_largest(const Job* job, const real* tile, Py_ssize_t width, real* top, const real* elsewhere,
                              real* reference) noexcept nogil:
    """top = the largest logit of each position; with slopes `elsewhere` of the classes, reference = that of its class.
    """
    cdef Batch[real] largest, terms, held
    cdef Py_ssize_t g = 0, c
    while g < width:
        largest.load(tile + g)
        if elsewhere != NULL:
            held.fill(elsewhere[0])
            for c in range(1, job.classes):
                terms.load(tile + c * job.lanes + g)
                follow(held, largest, terms, elsewhere[c])
                largest.raise_to(terms)
            held.store(reference + g)
        else:
            for c in range(1, job.classes):
                terms.load(tile + c * job.lanes + g)
                largest.raise_to(terms)
        largest.store(top + g)
        g += 16


cdef inline void take_targets(const Job* job, const Lanes* lanes, real* tile, real* chosen) noexcept nogil:
    """chosen = the logits of the targets, which leave the tile."""
    cdef Py_ssize_t j, place, count = lanes.count
    for j in range(count):
        place = lanes.label[j] * job.lanes + j
        chosen[j] = tile[place]
        tile[place] = -INFINITY
    for j in range(count, (count + 15) // 16 * 16):
        chosen[j] = 0


cdef inline void exponentials(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t count, real* tile,
                              const real* top, real* picked, double* others, const real* elsewhere,
                              const real* reference, real* mean) noexcept nogil:
    """tile = exp(x - top), others = its sum; picked holds the logits of the targets and takes their exponentials.

    With slopes `elsewhere` of the classes, mean = sum of exponential * (slope - reference). Meanwhile the next tile is
    asked for.
    """
    cdef Batch[real] largest, terms, run, held, slope
    cdef Batch[double] sum
    cdef Py_ssize_t g = 0, c, stop, step = job.lanes, width = (count + 15) // 16 * 16
    cdef const char* ahead = address(&job.input, n, 0, first + count)
    while g < width:
        largest.load(top + g)
        sum.fill(0.0)
        slope.fill(0)
        if elsewhere != NULL:
            held.load(reference + g)
        c = 0
        while c < job.classes:
            stop = min(c + RUN, job.classes)
            run.fill(0)
            while c < stop:
                prefetch(ahead + c * job.input.classes + g * <Py_ssize_t>sizeof(real))
                terms.load(tile + c * step + g)
                terms.subtract(largest)
                terms.become_exp()
                terms.store(tile + c * step + g)
                run.add(terms)
                if elsewhere != NULL:
                    add_slope(slope, terms, elsewhere[c], held)
                c += 1
            add_widened(sum, run)
        sum.store(others + g)
        terms.load(picked + g)
        terms.subtract(largest)
        terms.become_exp()
        terms.store(picked + g)
        if elsewhere != NULL:
            slope.store(mean + g)
        g += 16


cdef inline double mass_of(const Job* job, const Lanes* lanes, Py_ssize_t j) noexcept nogil:
    """The weight of a position in the cross-entropy: that of its class."""
    if lanes.label[j] < 0:
        return 0.0
    return 1.0 if job.class_weight == NULL else job.class_weight[lanes.label[j]]


cdef inline void add_entropies(const Job* job, const Lanes* lanes, const real* top, const real* chosen,
                               const real* picked, const double* others, double* extras) noexcept nogil:
    """Add the cross-entropies of a tile, and what their mean divides by."""
    cdef real[MAX_LANES] entropy
    cdef double[MAX_LANES] weighted
    cdef Py_ssize_t j, count = lanes.count
    cdef double mass
    for j in range(count):      # log of the sum of all, less the 1 of the largest
        entropy[j] = ((top[j] - chosen[j])
                      + log1p(<real>(others[j] if picked[j] == 1 else (others[j] - 1.0) + <double>picked[j])))
    if job.class_weight == NULL and lanes.whole:
        extras[DIVISOR] += <double>count
        extras[ADDEND] += sum_block(<const real*>entropy, count)
        return
    for j in range(count):
        mass = mass_of(job, lanes, j)
        extras[DIVISOR] += mass
        mass *= lanes.weight[j]
        weighted[j] = 0.0 if mass == 0.0 else mass * <double>entropy[j]
    extras[ADDEND] += sum_block(<const double*>weighted, count)


cdef inline int count_index_tile(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t count, real* tile,
                                 double* wrong, double* held, double* sums) noexcept nogil:
    """Add the sums of a tile: of the addend to a table, what is wrong to sixteen sums a class, targets to `held`.

    Return what left its domain.
    """
    cdef Lanes lanes
    cdef real[MAX_LANES] top, chosen, picked, inverse
    cdef double[MAX_LANES] others, common, missing
    cdef double* extras = sums + COUNTS * job.classes
    cdef double* row
    cdef Batch[real] even, odd, scale, run, run_of_next
    cdef Batch[double] sum
    cdef Py_ssize_t c, j, g, width = (count + 15) // 16 * 16, step = job.lanes, rows = job.classes + 1
    cdef double share
    cdef int bad = fill_lanes(job, &lanes, n, first, count)
    extras[POSITIONS] += lanes.positions
    load_classes(job, &lanes, n, first, tile)
    find_largest(job, <const real*>tile, width, <real*>top, <const real*>NULL, <real*>NULL)
    take_targets(job, &lanes, tile, <real*>chosen)
    for j in range(width):
        picked[j] = chosen[j]
    exponentials(job, n, first, count, tile, <const real*>top, <real*>picked, others, <const real*>NULL,
                 <const real*>NULL, <real*>NULL)
    if job.addend == CROSS_ENTROPY:
        add_entropies(job, &lanes, <const real*>top, <const real*>chosen, <const real*>picked, others, extras)
    for j in range(count):
        share = 1.0 / (others[j] + <double>picked[j])
        inverse[j] = <real>share
        common[j] = <double>picked[j] * share
        missing[j] = others[j] * share
    for j in range(count, width):
        inverse[j] = 0
    if not lanes.whole:
        for j in range(count):
            inverse[j] = <real>(inverse[j] * lanes.weight[j])
            common[j] *= lanes.weight[j]
            missing[j] *= lanes.weight[j]
    for j in range(count):
        row = held + HELD * ((j % WAYS) * rows + lanes.label[j] + 1)
        row[0] += common[j]
        row[1] += missing[j]
        row[2] += lanes.weight[j]
    c = 0
    while c < job.classes:      # two at a time, of which the last may be one
        run.fill(0)
        run_of_next.fill(0)
        g = 0
        while g < width:
            scale.load(<const real*>inverse + g)
            even.load(tile + c * step + g)
            odd.load(tile + min(c + 1, job.classes - 1) * step + g)
            add_product(run, even, scale)
            add_product(run_of_next, odd, scale)
            g += 16
        sum.load(wrong + 16 * c)
        add_widened(sum, run)
        sum.store(wrong + 16 * c)
        c += 1
        if c < job.classes:
            sum.load(wrong + 16 * c)
            add_widened(sum, run_of_next)
            sum.store(wrong + 16 * c)
            c += 1
    return bad


cdef inline void finish_sums(const Job* job, double* wrong, const double* held, double* sums) noexcept nogil:
    """Add what a task has counted to its table."""
    cdef const double* row
    cdef Py_ssize_t c, way, rows = job.classes + 1
    for c in range(job.classes):
        for way in range(WAYS):
            row = held + HELD * (way * rows + c + 1)
            sums[COUNTS * c] += row[0]
            sums[COUNTS * c + 2] += row[1]
            sums[COUNTS * c + 3] += row[2]
        sums[COUNTS * c + 1] += combine(wrong + 16 * c)


cdef inline void count_index_task(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t stop, real* scratch,
                                  double* sums, int* bad) noexcept nogil:
    """Add the sums of a run of positions to a table."""
    cdef Py_ssize_t rows = job.classes + 1, count
    cdef double* wrong = <double*>scratch + rows * job.lanes
    cdef double* held = wrong + 16 * job.classes
    memset(wrong, 0, (16 * job.classes + WAYS * HELD * rows) * sizeof(double))
    while first < stop:
        count = min(job.lanes, stop - first)
        bad[0] |= count_index_tile(job, n, first, count, scratch + job.lanes, wrong, held, sums)
        first += count
    finish_sums(job, wrong, held, sums)


cdef inline void index_gradient_tile(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t count, real* tile,
                                     const real* elsewhere) noexcept nogil:
    """Write the derivatives of a tile, with the slopes of probabilities `elsewhere` than at the target, by class.

    By softmax p_c the derivative of class c is p_c (a_c - sum_k p_k a_k) with the slopes a; those are taken relative
    to the slope of the largest class, whose own derivative is small where its p is nearly 1.
    """
    cdef Lanes lanes
    cdef real[MAX_LANES] top, picked, reference, inverse, mean, here
    cdef double[MAX_LANES] others
    cdef const double* by = job.slopes + 3 * n * job.classes
    cdef Batch[real] terms, scale, middle, held
    cdef Py_ssize_t c, j, g = 0, step = job.lanes, width = (count + 15) // 16 * 16
    cdef double factor = 0.0 if job.addend_scale == NULL else job.addend_scale[n], mass
    fill_lanes(job, &lanes, n, first, count)
    load_classes(job, &lanes, n, first, tile)
    find_largest(job, <const real*>tile, width, <real*>top, elsewhere, <real*>reference)
    take_targets(job, &lanes, tile, <real*>picked)
    for j in range(count):
        c = max(lanes.label[j], 0)
        here[j] = <real>(by[3 * c] - by[3 * c + 2])
    for j in range(count):
        reference[j] = here[j] if picked[j] == top[j] else reference[j]
    exponentials(job, n, first, count, tile, <const real*>top, <real*>picked, others, elsewhere, <const real*>reference,
                 <real*>mean)
    for j in range(count, width):
        here[j] = 0
    for j in range(width):
        inverse[j] = 1 / <real>(others[j] + <double>picked[j])
        picked[j] = picked[j] * inverse[j]
        # The mean slope, less that of the largest class; and the derivative of the target's class.
        mean[j] = mean[j] * inverse[j] + picked[j] * (here[j] - reference[j])
        here[j] = picked[j] * ((here[j] - reference[j]) - mean[j])
    if job.addend == CROSS_ENTROPY:     # mass * p elsewhere, -mass * (1 - p) of the target's class
        for j in range(count):
            mass = factor * mass_of(job, &lanes, j)
            mean[j] -= <real>mass
            here[j] -= <real>(mass * (others[j] * <double>inverse[j]))
    while g < width:
        held.load(<const real*>reference + g)
        scale.load(<const real*>inverse + g)
        middle.load(<const real*>mean + g)
        for c in range(job.classes):
            terms.load(tile + c * step + g)
            become_derivative(terms, elsewhere[c], held, scale, middle)
            terms.store(tile + c * step + g)
        g += 16
    for j in range(count):
        tile[lanes.label[j] * step + j] = here[j]
    for c in range(job.classes):
        finish_row(job, &lanes, lanes.weight, n, c, first, tile + c * step)


cdef inline void index_gradient_task(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t stop,
                                     real* scratch) noexcept nogil:
    """Write the derivatives of a run of positions."""
    cdef Py_ssize_t rows = job.classes + 1, c, count = first_count(job, n, first)
    cdef real* elsewhere = scratch + rows * job.lanes
    cdef const double* by = job.slopes + 3 * n * job.classes
    for c in range(job.classes):
        elsewhere[c] = <real>by[3 * c + 1]
    while first < stop:
        count = min(count, stop - first)
        index_gradient_tile(job, n, first, count, scratch + job.lanes, <const real*>elsewhere)
        first += count
        count = job.lanes
