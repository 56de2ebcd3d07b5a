"""A sigmoid and products as counts, where every position counts once: a row in registers, nothing kept in between."""

from blocks cimport combine, real
from overlap.call cimport ADDEND, CROSS_ENTROPY, DIVISOR, NOTHING, PRODUCT, SIGMOID, Job
from overlap.probabilities cimport sharp_of, spread_of
from softmax.reduce cimport Batch, add_widened

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T sigmoid[T](T x)
    T softplus[T](T x)

cdef extern from "losslib/overlap/lanes.h" namespace "losslib" nogil:
    cppclass SigmoidCounts[T]:
        Batch[T] common
        Batch[T] positive
        Batch[T] negative
        Batch[T] target
        Batch[T] entropy
        void start()
        void clear()
        bint outside()
        void add(const Batch[T]& x, const Batch[T]& t)
        void add_with_entropy(const Batch[T]& x, const Batch[T]& t, T all, T spread, T sharp)
    void become_sigmoid_derivative[T](Batch[T]& x, const Batch[T]& t, T positive, T turn)
    void become_sigmoid_and_entropy_derivative[T](Batch[T]& x, const Batch[T]& t, T positive, T turn, T scale, T all,
                                                  T spread, T sharp)

cdef enum:
    LENGTH = 256         # positions whose terms are added in the type of the input, 16 a lane, before float64


cdef inline bint by_sigmoid(const Job* job) noexcept nogil:
    """Whether this module computes the rows of a call in which every position counts once."""
    return (job.activation == SIGMOID and job.counting == PRODUCT and job.clip == 0.0
            and (job.addend == NOTHING or job.addend == CROSS_ENTROPY) and job.field.data == NULL
            and job.distances == NULL)


cdef inline real all_of(const Job* job, Py_ssize_t c, real tag) noexcept nogil:
    """What the binary cross-entropy of a class is multiplied by."""
    return <real>(1.0 if job.class_weight == NULL else job.class_weight[c])


cdef inline double total_of(const Batch[double]& sum) noexcept nogil:
    cdef double[16] lane
    sum.store(lane)
    return combine(lane)


cdef inline bint count_sigmoid_row(const Job* job, Py_ssize_t c, Py_ssize_t count, const real* x, const real* t,
                                   double* sums, double* extras) noexcept nogil:
    """Add the counts of a row and its cross-entropies; return whether a target lies outside [0, 1]."""
    cdef SigmoidCounts[real] counts
    cdef Batch[real] inputs, marks
    cdef Batch[double] common, positive, negative, target, entropy
    cdef real p, q, all_y = all_of(job, c, <real>0), spread = <real>spread_of(job, c), sharp = <real>sharp_of(job, c), y
    cdef Py_ssize_t i = 0, stop
    cdef bint entropic = job.addend == CROSS_ENTROPY, outside = False
    counts.start()
    common.fill(0.0)
    positive.fill(0.0)
    negative.fill(0.0)
    target.fill(0.0)
    entropy.fill(0.0)
    while i + 16 <= count:
        stop = min(i + LENGTH, count // 16 * 16)
        counts.clear()
        if entropic:
            while i < stop:
                inputs.load(x + i)
                marks.load(t + i)
                counts.add_with_entropy(inputs, marks, all_y, spread, sharp)
                i += 16
            add_widened(entropy, counts.entropy)
        while i < stop:
            inputs.load(x + i)
            marks.load(t + i)
            counts.add(inputs, marks)
            i += 16
        add_widened(common, counts.common)
        add_widened(positive, counts.positive)
        add_widened(negative, counts.negative)
        add_widened(target, counts.target)
    outside = counts.outside()
    sums[0] += total_of(common)
    sums[1] += total_of(positive)
    sums[2] += total_of(negative)
    sums[3] += total_of(target)
    if entropic:
        extras[ADDEND] += total_of(entropy)
        extras[DIVISOR] += <double>count
    while i < count:
        p = sigmoid(x[i])
        q = sigmoid(-x[i])
        sums[0] += <double>(p * t[i])
        sums[1] += <double>(p * (1 - t[i]))
        sums[2] += <double>(q * t[i])
        sums[3] += <double>t[i]
        outside |= (t[i] < 0) | (t[i] > 1)
        if entropic:
            y = spread + sharp * t[i]
            extras[ADDEND] += <double>(y * softplus(-x[i]) + (all_y - y) * softplus(x[i]))
        i += 1
    return outside


cdef inline void differentiate_batch(bint entropic, Batch[real]& inputs, const Batch[real]& marks, real positive,
                                     real turn, real scale, real all_y, real spread, real sharp) noexcept nogil:
    if entropic:
        become_sigmoid_and_entropy_derivative(inputs, marks, positive, turn, scale, all_y, spread, sharp)
    else:
        become_sigmoid_derivative(inputs, marks, positive, turn)


cdef inline void sigmoid_slope_row(const Job* job, Py_ssize_t n, Py_ssize_t c, Py_ssize_t count, const real* x,
                                   const real* t, real* row) noexcept nogil:
    """The derivatives by the logits of a row."""
    cdef const double* by = job.slopes + 3 * (n * job.classes + c)
    cdef real positive = <real>by[1], turn = <real>(by[0] - by[1] - by[2])
    cdef real scale = <real>(0.0 if job.addend_scale == NULL else job.addend_scale[n])
    cdef real all_y = all_of(job, c, <real>0), spread = <real>spread_of(job, c), sharp = <real>sharp_of(job, c)
    cdef Batch[real] inputs, marks
    cdef real[16] rest_x, rest_t
    cdef Py_ssize_t j = 0, k
    cdef bint entropic = job.addend == CROSS_ENTROPY
    while j + 16 <= count:
        inputs.load(x + j)
        marks.load(t + j)
        differentiate_batch(entropic, inputs, marks, positive, turn, scale, all_y, spread, sharp)
        inputs.store(row + j)
        j += 16
    if j < count:
        for k in range(16):
            rest_x[k] = x[j + k] if j + k < count else 0
            rest_t[k] = t[j + k] if j + k < count else 0
        inputs.load(rest_x)
        marks.load(rest_t)
        differentiate_batch(entropic, inputs, marks, positive, turn, scale, all_y, spread, sharp)
        inputs.store(rest_x)
        for k in range(count - j):
            row[j + k] = rest_x[k]
