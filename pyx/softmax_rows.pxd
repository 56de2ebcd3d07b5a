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
from softmax_call cimport CROSS_ENTROPY, DISTILLATION, FOCAL, POLY, SYMMETRIC, Rows, read_class, scale_of
from softmax_class cimport hessian_row
from softmax_pick cimport AnyPick, FocalPick, GeneralizedPick, Picked, PolyPick
from softmax_reduce cimport row_dot, row_exp, row_max

cdef extern from "losslib/softmax.h" namespace "losslib" nogil:
    T exp[T](T x)
    T log[T](T x)
    T product_or_zero[T](T coefficient, T factor)


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
        value = rows.numbers[0] * (mass * log_sum - row_dot(q, x, m, h, n))
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
    cdef double value = -w * <double>x[target]
    for c in range(n):
        x[c] = 0
        h[c] = 0
    x[target] = <real>(-w * scale_of(rows, sample))
    return value


cdef inline double row_categorical(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e) noexcept nogil:
    """Probabilities in, as Keras: divided by their sum, clipped, and no gradient where the clip holds."""
    cdef Py_ssize_t c, n = rows.classes
    cdef double total = sum_block(x, n), loss = 0.0, expected = 0.0, p, weight, scale = scale_of(rows, sample)
    cdef double inverse = 1.0 / total, keep = 1.0 - rows.smoothing, rest = rows.smoothing / <double>n
    cdef double low = 1e-7, high = 1.0 - 1e-7
    for c in range(n):
        p = <double>x[c] * inverse
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
        x[c] = <real>((expected - <double>e[c]) * inverse * scale)
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


cdef inline double row_divergence(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e, real* q) noexcept nogil:
    """Jensen-Shannon divergence or distillation between the softmax of two rows of logits."""
    cdef Py_ssize_t c, n = rows.classes
    cdef double beta = rows.numbers[0], scale = scale_of(rows, sample), total = 0.0, expected = 0.0, v, p, y, mixed
    cdef real inverse = <real>(1.0 / rows.numbers[0]) if rows.kind == DISTILLATION else 1
    cdef real mx, mt
    cdef double sx, st, lx, lt
    if rows.kind == DISTILLATION:
        for c in range(n):
            x[c] = x[c] * inverse
            t[c] = t[c] * inverse
        beta = 0.0
    mx = row_max(x, n)
    mt = row_max(t, n)
    sx = row_exp(x, mx, e, n).sum
    st = row_exp(t, mt, q, n).sum
    lx = <double>mx + c_log(sx)
    lt = <double>mt + c_log(st)
    for c in range(n):
        p = <double>e[c] / sx
        y = <double>q[c] / st
        if beta == 0.0:
            v = -y
            total += 0.0 if y == 0.0 else y * ((<double>t[c] - lt) - (<double>x[c] - lx))
        elif beta == 1.0:
            v = 0.0 if p == 0.0 else p * ((<double>x[c] - lx) - (<double>t[c] - lt))
            total += v
        else:
            mixed = c_log(beta * y + (1.0 - beta) * p)
            v = 0.0 if p == 0.0 else (1.0 - beta) * p * ((<double>x[c] - lx) - mixed)
            total += v
            total += 0.0 if y == 0.0 else beta * y * ((<double>t[c] - lt) - mixed)
        expected += v
        e[c] = <real>p
        q[c] = <real>v
    if rows.kind == DISTILLATION:
        total = total * rows.numbers[0] * rows.numbers[0]
        scale = scale * rows.numbers[0]
    for c in range(n):
        x[c] = <real>((<double>q[c] - <double>e[c] * expected) * scale)
    return total
