"""Rows of classes with a distribution or another row of logits as target, and the losses of their own kind.

Each function takes one row in buffers of the type that is computed in: logits x, target t, and scratch. It returns the
value, and leaves the gradient in the buffer that it names.
"""

from libc.math cimport INFINITY, NAN
from libc.math cimport expm1 as c_expm1
from libc.math cimport fabs as c_fabs
from libc.math cimport log as c_log
from libc.math cimport pow as c_pow
from libc.string cimport memcpy

from blocks cimport real, sum_block
from softmax.call cimport CROSS_ENTROPY, DISTILLATION, FOCAL, POLY, SYMMETRIC, Rows, read_class, scale_of
from softmax.by_class cimport hessian_row
from softmax.pick cimport AnyPick, FocalPick, GeneralizedPick, Picked, PolyPick
from softmax.reduce cimport row_dot, row_exp, row_max

cdef extern from "losslib/softmax/softmax.h" namespace "losslib" nogil:
    T exp[T](T x)
    T log[T](T x)
    T product_or_zero[T](T coefficient, T factor)
    cppclass DivergenceTerm[T]:
        T value
        T slope
        T even
    cppclass DivergenceOfTarget:
        DivergenceTerm[T] at[T](T p, T y, T d)
    cppclass DivergenceOfInput:
        DivergenceTerm[T] at[T](T p, T y, T d)
    cppclass DivergenceOfBoth:
        double beta
        DivergenceTerm[T] at[T](T p, T y, T d)

ctypedef fused AnyDivergence:
    DivergenceOfTarget
    DivergenceOfInput
    DivergenceOfBoth

cdef enum:
    BLOCK = 256    # classes of a divergence that are in local buffers together


# ---- the softmax against a distribution ------------------------------------------------------------------------

cdef inline void soft_jets_of(AnyPick given, const real* lp, const real* t, real* f, real* slope,
                              Py_ssize_t n) noexcept nogil:
    cdef AnyPick loss = given
    cdef Picked[real] jet
    cdef Py_ssize_t c
    for c in range(n):
        jet = loss.at(lp[c])
        f[c] = 0 if t[c] == 0 else t[c] * jet.value
        slope[c] = product_or_zero(t[c], jet.slope)


cdef inline void soft_jets(const Rows* rows, const real* lp, const real* t, real* f, real* slope) noexcept nogil:
    """f = t f(lp), slope = t f'(lp) for every class; a zero target makes both zero."""
    cdef FocalPick focal
    cdef PolyPick poly
    cdef GeneralizedPick generalized
    if rows.kind == FOCAL:
        focal.gamma = rows.numbers[0]
        soft_jets_of(focal, lp, t, f, slope, rows.classes)
    elif rows.kind == POLY:
        poly.epsilon = rows.numbers[0]
        soft_jets_of(poly, lp, t, f, slope, rows.classes)
    else:
        generalized.q = rows.numbers[0]
        soft_jets_of(generalized, lp, t, f, slope, rows.classes)


cdef inline double row_by_distribution(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e, real* q,
                                       real* h) noexcept nogil:
    """Losses of the softmax against probabilities; e becomes the gradient, h the Hessian, t the target's gradient."""
    cdef Py_ssize_t c, n = rows.classes
    cdef real m, factor, w, u, logarithm
    cdef real keep = <real>(1.0 - rows.smoothing), rest = <real>(rows.smoothing / <double>n)
    cdef double s, log_sum, lse, mass, scale = scale_of(rows, sample), part, expected, value
    for c in range(n):
        t[c] = t[c] * keep + rest
    if rows.class_weight != NULL:
        for c in range(n):
            q[c] = t[c] * <real>rows.class_weight[c]
    else:
        memcpy(q, t, n * sizeof(real))
    m = row_max(x, n)
    s = row_exp(x, m, e, n).sum
    # In floating point the log-probability is (x - m) - log s: two terms of one sign, each accurate.
    log_sum = c_log(s)
    logarithm = <real>log_sum
    factor = <real>(1.0 / s)
    if rows.kind == CROSS_ENTROPY:
        mass = sum_block(q, n)
        # A zero target makes its term zero, also where a logit is -inf.
        value = mass * log_sum - row_dot(q, x, m, h, n)
        part = mass
        if rows.z_loss > 0.0:
            lse = <double>m + log_sum
            value += rows.z_loss * lse * lse
            part += 2.0 * rows.z_loss * lse
        if rows.want_hess:
            hessian_row(e, s, part, rows.z_loss, scale, h, n)
        if rows.want_target:
            for c in range(n):
                w = keep * <real>scale if rows.class_weight == NULL else keep * <real>(scale * rows.class_weight[c])
                t[c] = w * (logarithm - (x[c] - m))
        factor = <real>(part * scale / s)
        w = <real>scale
        for c in range(n):
            e[c] = e[c] * factor - q[c] * w
    elif rows.kind == SYMMETRIC:
        mass = sum_block(q, n)
        value = product_or_zero(rows.numbers[0], mass * log_sum - row_dot(q, x, m, h, n))
        for c in range(n):
            e[c] = e[c] * factor
        # The reverse part: sum p r with r = -log(max(t, exp(-4))).
        for c in range(n):
            h[c] = -log(t[c]) if t[c] > <real>0.01831563888873418 else <real>4
        expected = row_dot(e, h, 0, x, n)
        value += rows.numbers[1] * expected
        w = <real>(rows.numbers[0] * scale)
        u = <real>(rows.numbers[1] * scale)
        for c in range(n):
            e[c] = w * (<real>mass * e[c] - q[c]) + u * e[c] * (h[c] - <real>expected)
    else:
        for c in range(n):
            e[c] = e[c] * factor
            x[c] = (x[c] - m) - logarithm      # log-probabilities
        soft_jets(rows, x, q, h, t)
        value = sum_block(h, n)
        part = sum_block(t, n)
        w = <real>scale
        for c in range(n):
            e[c] = w * (t[c] - e[c] * <real>part)
    return value


# ---- losses of their own kind ----------------------------------------------------------------------------------

cdef inline double row_nll(Rows* rows, Py_ssize_t sample, real* x, real* h) noexcept nogil:
    """The negative log-probability of the target's class; x becomes the gradient, h the Hessian."""
    cdef Py_ssize_t c, n = rows.classes, target = read_class(rows, sample)
    cdef double w = rows.class_weight[target] if rows.class_weight != NULL else 1.0
    cdef double value = -product_or_zero(w, <double>x[target])
    for c in range(n):
        x[c] = 0
        h[c] = 0
    x[target] = <real>(-w * scale_of(rows, sample))
    return value


cdef inline double row_categorical(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e) noexcept nogil:
    """Probabilities in, as Keras: divided by their sum, clipped, and no gradient where the clip holds."""
    cdef Py_ssize_t c, n = rows.classes
    cdef double total = sum_block(x, n), loss = 0.0, expected = 0.0, p, weight, scale = scale_of(rows, sample)
    cdef double inverse, unit = 1.0, keep = 1.0 - rows.smoothing, rest = rows.smoothing / <double>n
    cdef double low = 1e-7, high = 1.0 - 1e-7
    if total > 1e300 or total < 1e-300:
        # Neither the sum nor its inverse may leave the range: both are of the row times a power of two.
        unit = 7.458340731200207e-155 if total > 1.0 else 1.3407807929942597e+154
        total = 0.0
        for c in range(n):
            total += <double>x[c] * unit
    inverse = 1.0 / total
    for c in range(n):
        p = <double>x[c] * unit * inverse
        weight = (<double>t[c] * keep + rest) * (rows.class_weight[c] if rows.class_weight != NULL else 1.0)
        if p < low:
            loss -= weight * c_log(low)
            e[c] = 0
        elif p > high:
            loss -= weight * c_log(high)
            e[c] = 0
        else:
            loss -= 0.0 if weight == 0.0 else weight * c_log(p)
            e[c] = <real>(weight / p)
            expected += weight
        t[c] = <real>(-c_log(low if p < low else (high if p > high else p)) * keep * scale
                      * (rows.class_weight[c] if rows.class_weight != NULL else 1.0))
    for c in range(n):
        x[c] = <real>((expected - <double>e[c]) * inverse * unit * scale)
    return loss


cdef inline double tempered_log(double logarithm, double t) noexcept nogil:
    """(x^(1-t) - 1)/(1 - t) from log x; log x itself for t = 1."""
    if t == 1.0:
        return logarithm
    return c_expm1((1.0 - t) * logarithm) / (1.0 - t)


cdef inline double row_bi_tempered(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e) noexcept nogil:
    """Amid et al. 2019: tempered logarithm t1, tempered softmax t2 >= 1 by fixed-point iteration.

    Probabilities are kept as logarithms, which do not underflow; x becomes the gradient.
    """
    cdef Py_ssize_t c, n = rows.classes
    cdef double t1 = rows.numbers[0], t2 = rows.numbers[1], scale = scale_of(rows, sample)
    cdef double m = <double>row_max(x, n), partition = 0.0, shift = 1.0, before, norm, p, y, base, lp
    cdef double keep = 1.0 - rows.smoothing, rest = rows.smoothing / <double>n
    cdef double forgotten = 0.0, escort = 0.0, loss = 0.0
    cdef int _step
    if t2 == 1.0:
        for c in range(n):
            partition += exp(<double>x[c] - m)
        norm = c_log(partition)
    else:
        for _step in range(200):
            partition = 0.0
            for c in range(n):
                base = 1.0 + (1.0 - t2) * (<double>x[c] - m) * shift
                partition += c_pow(base, 1.0 / (1.0 - t2))
            before = shift
            shift = c_pow(partition, 1.0 - t2)
            if c_fabs(shift - before) <= 1e-16 * shift:
                break
        partition = 0.0
        for c in range(n):
            base = 1.0 + (1.0 - t2) * (<double>x[c] - m) * shift
            partition += c_pow(base, 1.0 / (1.0 - t2))
        norm = -tempered_log(-c_log(partition), t2)
    for c in range(n):
        if t2 == 1.0:
            lp = <double>x[c] - m - norm
        else:
            lp = c_log(1.0 + (1.0 - t2) * (<double>x[c] - m - norm)) / (1.0 - t2)
        p = exp(lp)
        y = <double>t[c] * keep + rest
        if y > 0.0:
            loss += y * (tempered_log(c_log(y), t1) - tempered_log(lp, t1))
            loss -= c_pow(y, 2.0 - t1) / (2.0 - t1)
        loss += exp((2.0 - t1) * lp) / (2.0 - t1)
        base = forget(p - y, t2 - t1, lp)
        forgotten += base
        escort += exp(t2 * lp)
        t[c] = <real>base
        e[c] = <real>lp
    for c in range(n):
        x[c] = <real>((<double>t[c] - exp(t2 * <double>e[c]) / escort * forgotten) * scale)
    return loss


cdef inline double forget(double difference, double power, double lp) noexcept nogil:
    """(p - y) p^(t2 - t1) for p = exp(lp); 1 to the power of nothing for t2 = t1, even at p = 0."""
    if power == 0.0 or difference == 0.0:
        return difference
    return difference * exp(power * lp)


cdef inline double row_sparsemax(Rows* rows, Py_ssize_t sample, real* x, real* t) noexcept nogil:
    """Martins and Astudillo 2016: the threshold tau by Michelot's iteration over a shrinking support."""
    cdef Py_ssize_t c, n = rows.classes, size, before = 0
    cdef double m = <double>row_max(x, n), tau = -INFINITY, total, half = 0.0, scale = scale_of(rows, sample), z, part
    cdef double mass = 0.0, check = sum_block(x, n)
    if check != check:          # a NaN is above no threshold: it would be lost
        for c in range(n):
            x[c] = <real>check
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
        x[c] = <real>((part - <double>t[c]) * scale)
    return 0.5 * half + m * (1.0 - mass) if tau == tau else NAN


cdef inline double log_sum_of(const real* x, real m, double inverse, real* e, Py_ssize_t n) noexcept nogil:
    """log sum exp((x - m) inverse), and the exponentials over their sum to e; computed in float64."""
    cdef double[BLOCK] terms
    cdef double total = 0.0, factor
    cdef Py_ssize_t start = 0, c, length
    while start < n:
        length = min(<Py_ssize_t>BLOCK, n - start)
        for c in range(length):
            terms[c] = exp((<double>x[start + c] - <double>m) * inverse)
        total += sum_block(<const double*>terms, length)
        for c in range(length):
            e[start + c] = <real>terms[c]
        start += length
    factor = 1.0 / total
    for c in range(n):
        e[c] = <real>(<double>e[c] * factor)
    return c_log(total)


cdef inline void divergence_terms(AnyDivergence given, const real* p, const real* y, const double* d, double* value,
                                  double* slope, double* even, Py_ssize_t n) noexcept nogil:
    cdef AnyDivergence loss = given
    cdef DivergenceTerm[double] term
    cdef Py_ssize_t c
    for c in range(n):
        term = loss.at(<double>p[c], <double>y[c], d[c])
        value[c] = term.value
        slope[c] = term.slope
        even[c] = term.even


cdef inline double row_divergence(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e, real* q) noexcept nogil:
    """Jensen-Shannon divergence or distillation between the softmax of two rows of logits."""
    cdef Py_ssize_t start = 0, c, length, n = rows.classes
    cdef DivergenceOfTarget of_target
    cdef DivergenceOfInput of_input
    cdef DivergenceOfBoth of_both
    cdef double[BLOCK] d, value, slope, even
    cdef bint distillation = rows.kind == DISTILLATION
    cdef double beta = 0.0 if distillation else rows.numbers[0]
    cdef double inverse = 1.0 / rows.numbers[0] if distillation else 1.0
    cdef double scale = scale_of(rows, sample), total = 0.0, expected = 0.0, offset
    cdef real mx = row_max(x, n), mt = row_max(t, n)
    offset = log_sum_of(x, mx, inverse, e, n) - log_sum_of(t, mt, inverse, q, n)
    of_both.beta = beta
    while start < n:
        length = min(<Py_ssize_t>BLOCK, n - start)
        for c in range(length):
            d[c] = ((<double>x[start + c] - <double>mx) - (<double>t[start + c] - <double>mt)) * inverse - offset
        if beta == 0.0:
            divergence_terms(of_target, e + start, q + start, d, value, slope, even, length)
        elif beta == 1.0:
            divergence_terms(of_input, e + start, q + start, d, value, slope, even, length)
        else:
            divergence_terms(of_both, e + start, q + start, d, value, slope, even, length)
        total += sum_block(<const double*>value, length)
        expected += sum_block(<const double*>even, length)
        for c in range(length):
            q[start + c] = <real>slope[c]
        start += length
    if distillation:
        total = total * rows.numbers[0] * rows.numbers[0]
        scale = scale * rows.numbers[0]
    for c in range(n):
        x[c] = <real>((<double>q[c] - <double>e[c] * expected) * scale)
    return total
