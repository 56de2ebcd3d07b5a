"""Rows of classes: losses that are no function of the softmax.

As in ``softmax.rows`` each function takes one row in buffers and returns the value; e becomes the gradient.
"""

from libc.math cimport INFINITY, NAN
from libc.math cimport fabs as c_fabs
from libc.math cimport log as c_log
from libc.math cimport pow as c_pow

from blocks cimport real, sum_block
from softmax.call cimport Rows, scale_of
from softmax.reduce cimport row_max

cdef extern from "losslib/softmax/softmax.h" namespace "losslib" nogil:
    T exp[T](T x)
    T product_or_zero[T](T coefficient, T factor)
    cppclass Clipped:
        double cost
        double p
    cppclass ClippedLogarithm:
        Clipped at(double p)

cdef extern from "losslib/softmax/tempered.h" namespace "losslib" nogil:
    double tempered_log(double logarithm, double t)
    cppclass TemperedTerm:
        double value
        double difference
        double escort
    cppclass BiTempered:
        double t1
        double t2
        double log_probability(double z)
        double weight(double z, double shift)
        TemperedTerm at(double lp, double y)


cdef inline double row_categorical(const ClippedLogarithm* loss, const Rows* rows, Py_ssize_t sample, real* x, real* t,
                                   real* e, real* q, real* h) noexcept nogil:
    """Probabilities: divided by their sum, clipped, no gradient where the clip holds; t becomes the target's."""
    cdef Clipped clipped
    cdef Py_ssize_t c, n = rows.classes
    cdef double total = sum_block(x, n), value = 0.0, expected = 0.0, share, weight, scale = scale_of(rows, sample)
    cdef double inverse, unit = 1.0, keep = 1.0 - rows.smoothing, rest = rows.smoothing / <double>n
    if total > 1e300 or total < 1e-300:
        # Neither the sum nor its inverse may leave the range: both are of the row times a power of two.
        unit = 7.458340731200207e-155 if total > 1.0 else 1.3407807929942597e+154
        total = 0.0
        for c in range(n):
            total += <double>x[c] * unit
    inverse = 1.0 / total
    for c in range(n):
        clipped = loss.at(<double>x[c] * unit * inverse)
        share = 1.0 if rows.class_weight == NULL else rows.class_weight[c]
        weight = (<double>t[c] * keep + rest) * share
        value += product_or_zero(weight, clipped.cost)
        e[c] = <real>(weight / clipped.p) if clipped.p != 0.0 else 0
        expected += weight if clipped.p != 0.0 else 0.0
        t[c] = <real>(clipped.cost * keep * scale * share)
    for c in range(n):
        e[c] = <real>((expected - <double>e[c]) * inverse * unit * scale)
    return value


cdef inline double row_bi_tempered(const BiTempered* loss, const Rows* rows, Py_ssize_t sample, real* x, real* t,
                                   real* e, real* q, real* h) noexcept nogil:
    """The normaliser by fixed-point iteration, then a term for each class."""
    cdef TemperedTerm term
    cdef Py_ssize_t c, n = rows.classes
    cdef double scale = scale_of(rows, sample), m = <double>row_max(x, n), partition = 0.0, shift = 1.0, before, norm
    cdef double keep = 1.0 - rows.smoothing, rest = rows.smoothing / <double>n, lp
    cdef double differences = 0.0, escorts = 0.0, value = 0.0
    cdef int _step
    if loss.t2 == 1.0:
        for c in range(n):
            partition += exp(<double>x[c] - m)
        norm = c_log(partition)
    else:
        for _step in range(200):
            partition = 0.0
            for c in range(n):
                partition += loss.weight(<double>x[c] - m, shift)
            before = shift
            shift = c_pow(partition, 1.0 - loss.t2)
            if c_fabs(shift - before) <= 1e-16 * shift:
                break
        partition = 0.0
        for c in range(n):
            partition += loss.weight(<double>x[c] - m, shift)
        norm = -tempered_log(-c_log(partition), loss.t2)
    for c in range(n):
        lp = loss.log_probability(<double>x[c] - m - norm)
        term = loss.at(lp, <double>t[c] * keep + rest)
        value += term.value
        differences += term.difference
        escorts += term.escort
        t[c] = <real>term.difference
        e[c] = <real>lp
    for c in range(n):
        e[c] = <real>((<double>t[c] - exp(loss.t2 * <double>e[c]) / escorts * differences) * scale)
    return value


cdef inline double row_sparsemax(const void* loss, const Rows* rows, Py_ssize_t sample, real* x, real* t, real* e,
                                 real* q, real* h) noexcept nogil:
    """Martins and Astudillo 2016: the threshold tau by Michelot's iteration over a shrinking support."""
    cdef Py_ssize_t c, n = rows.classes, size, before = 0
    cdef double m = <double>row_max(x, n), tau = -INFINITY, total, half = 0.0, scale = scale_of(rows, sample), z, part
    cdef double mass = 0.0, check = sum_block(x, n)
    if check != check:          # a NaN is above no threshold: it would be lost
        for c in range(n):
            e[c] = <real>check
        return check
    while True:
        total = 0.0
        size = 0
        for c in range(n):
            z = <double>x[c] - m
            if z > tau:
                total += z
                size += 1
        tau = (total - 1.0) / <double>size
        if size == before or not tau == tau:
            break
        before = size
    for c in range(n):
        z = <double>x[c] - m
        part = z - tau if z > tau else 0.0
        if z > tau:
            half += z * z - tau * tau
        if t[c] != 0:
            half += <double>t[c] * <double>t[c] - 2.0 * <double>t[c] * z
            mass += <double>t[c]
        e[c] = <real>((part - <double>t[c]) * scale)
    return 0.5 * half + m * (1.0 - mass) if tau == tau else NAN
