"""One sample of a loss on a grid of intervals: its row of scores, its interval and whether the event came then."""

from libc.math cimport INFINITY, NAN, exp, log1p

cdef extern from "losslib/risk/hazard.h" namespace "losslib" nogil:
    struct Term:
        double value
        double slope
        double curvature
    Term softplus_term(double x)
    Term log_softplus_term(double x)

cdef enum RowKind:
    LOGISTIC_HAZARD = 0
    CONSTANT_HAZARD = 1
    MASS = 2

# What the rows of a call have in common. Scores lie as [cause][interval].
cdef struct Row:
    int kind
    Py_ssize_t causes, intervals
    bint pad                       # a category after the last interval, with the score 0
    bint cumulative                # the scores are differences: each is summed from the last interval on


cdef inline void put(double* grad, double* hess, Py_ssize_t k, double factor, double slope,
                     double curvature) noexcept nogil:
    """Write two derivatives; with the factor 0 they are 0 whatever they are."""
    if grad != NULL:
        grad[k] = slope * factor if factor != 0 else 0.0
    if hess != NULL:
        hess[k] = curvature * factor if factor != 0 else 0.0


cdef inline double logistic_hazard(const Row* row, const double* x, Py_ssize_t last, double event, double factor,
                                   double* grad, double* hess) noexcept nogil:
    """The hazard of interval k is sigmoid(x_k): survive those before `last`, then die in it or survive it too."""
    cdef Py_ssize_t k
    cdef double value = 0.0
    cdef Term here, mirrored
    for k in range(last):
        here = softplus_term(x[k])
        value += here.value
        put(grad, hess, k, factor, here.slope, here.curvature)
    here = softplus_term(x[last])
    mirrored = softplus_term(-x[last])
    if event == 1:
        value += mirrored.value
        put(grad, hess, last, factor, -mirrored.slope, here.curvature)
    else:
        value += here.value - event * (0.0 if event == 0 else x[last])
        put(grad, hess, last, factor, here.slope - event, here.curvature)
    for k in range(last + 1, row.intervals):
        put(grad, hess, k, factor, 0.0, 0.0)
    return value


cdef inline double constant_hazard(const Row* row, const double* x, Py_ssize_t last, double event, double fraction,
                                   double factor, double* grad, double* hess) noexcept nogil:
    """The hazard is softplus(x_k) throughout interval k, of which the fraction of `last` was lived."""
    cdef Py_ssize_t k
    cdef double value = 0.0
    cdef Term here, rate
    for k in range(last):
        here = softplus_term(x[k])
        value += here.value
        put(grad, hess, k, factor, here.slope, here.curvature)
    here = softplus_term(x[last])
    here.value *= fraction
    here.slope *= fraction
    here.curvature *= fraction
    if event != 0:
        rate = log_softplus_term(x[last])
        here.value -= event * rate.value
        here.slope -= event * rate.slope
        here.curvature -= event * rate.curvature
    put(grad, hess, last, factor, here.slope, here.curvature)
    for k in range(last + 1, row.intervals):
        put(grad, hess, k, factor, 0.0, 0.0)
    return value + here.value


# ---- mass functions --------------------------------------------------------------------------------------------

# A sum of exponentials as the largest, exp(top), and the sum of the others divided by it.
cdef struct Sum:
    double top, rest


cdef inline void add(Sum* sum, double y) noexcept nogil:
    if y == -INFINITY:
        return
    if y > sum.top:
        sum.rest = exp(sum.top - y) * (1.0 + sum.rest)
        sum.top = y
    else:
        sum.rest += exp(y - sum.top)


cdef inline double log_of(Sum sum) noexcept nogil:
    return sum.top + log1p(sum.rest)


cdef inline double share(Sum sum, double y) noexcept nogil:
    """exp(y) of the sum."""
    return exp(y - sum.top) / (1.0 + sum.rest) if y != -INFINITY else 0.0


cdef inline double spread(Sum sum, double y) noexcept nogil:
    """p (1 - p) of a share; of the largest 1 - p comes from the others."""
    cdef double p = share(sum, y)
    return p * (sum.rest / (1.0 + sum.rest)) if y == sum.top else p * (1.0 - p)


# Where the mass of a row lies: all of it, up to the end of the interval, and after.
cdef struct Masses:
    Sum all
    Sum head
    Sum tail


cdef inline Masses sum_row(const Row* row, const double* x, Py_ssize_t last, double* levels) noexcept nogil:
    """Sum the exponentials; the cumulative scores are left in `levels` unless that is NULL."""
    cdef Masses found
    cdef Py_ssize_t r, k
    cdef double level
    found.all.top = found.head.top = found.tail.top = -INFINITY
    found.all.rest = found.head.rest = found.tail.rest = 0.0
    if row.pad:
        add(&found.all, 0.0)
        add(&found.tail, 0.0)
    for r in range(row.causes):
        level = 0.0
        k = row.intervals
        while k > 0:
            k -= 1
            level = level + x[r * row.intervals + k] if row.cumulative else x[r * row.intervals + k]
            add(&found.all, level)
            if k > last:
                add(&found.tail, level)
            else:
                add(&found.head, level)
            if levels != NULL:
                levels[r * row.intervals + k] = level
    return found


cdef inline void put_died(const Row* row, const Masses* m, Py_ssize_t place, double factor, double* grad,
                          double* hess) noexcept nogil:
    """p - [k = place] and p (1 - p), where the levels stand in `grad`."""
    cdef Py_ssize_t k
    cdef double y, p
    for k in range(row.causes * row.intervals):
        y = grad[k]
        p = share(m.all, y)
        if k == place:
            p = -m.all.rest / (1.0 + m.all.rest) if y == m.all.top else p - 1.0
        put(grad, hess, k, factor, p, spread(m.all, y))


cdef inline void put_survived(const Row* row, const Masses* m, Py_ssize_t last, double factor, double* grad,
                              double* hess) noexcept nogil:
    """p - q and its derivative, q the share of the mass after the interval: q = p/tail, and p - q = -q head."""
    cdef double head = softplus_term(log_of(m.head) - log_of(m.tail)).slope
    cdef bint nothing = m.tail.top == -INFINITY
    cdef Py_ssize_t k
    cdef double y, p, q
    for k in range(row.causes * row.intervals):
        y = grad[k]
        p = share(m.all, y)
        if nothing:
            put(grad, hess, k, factor, NAN, NAN)
        elif k % row.intervals <= last:
            put(grad, hess, k, factor, p, spread(m.all, y))
        else:
            q = share(m.tail, y)
            put(grad, hess, k, factor, -q * head, -q * head * (1.0 - p - q))


cdef inline void put_cumulative(const Row* row, const Masses* m, Py_ssize_t last, Py_ssize_t place, double factor,
                                double* grad, double* hess) noexcept nogil:
    """Derivatives by the differences, which move all levels up to theirs: P - Q and P (1 - P) - Q (1 - Q).

    P and Q are the sums of p and q up to the interval; after an event q is all at its place.
    """
    cdef bint nothing = place < 0 and m.tail.top == -INFINITY
    cdef Py_ssize_t r, k, c
    cdef double y, p, q
    for r in range(row.causes):
        p = q = 0.0
        for k in range(row.intervals):
            c = r * row.intervals + k
            y = grad[c]
            p += share(m.all, y)
            if place < 0 and k > last:
                q += share(m.tail, y)
            elif place == c:
                q = 1.0
            if nothing:
                p = NAN
            put(grad, hess, c, factor, p - q, p * (1.0 - p) - q * (1.0 - q))


cdef inline double mass_function(const Row* row, const double* x, Py_ssize_t last, double event, double factor,
                                 double* grad, double* hess) noexcept nogil:
    """-log of the mass of the interval and cause of an event (1, 2 …), or of all mass after the interval (event 0)."""
    cdef Masses found = sum_row(row, x, last, grad)
    cdef Py_ssize_t place = -1, k
    cdef double value, level = 0.0
    if event != 0:
        place = (<Py_ssize_t>event - 1) * row.intervals + last
        level = x[place]
        if row.cumulative:
            for k in range(1, row.intervals - last):
                level += x[place + k]
        value = (found.all.top - level) + log1p(found.all.rest)
    else:
        value = softplus_term(log_of(found.head) - log_of(found.tail)).value
    if grad == NULL:
        return value
    if row.cumulative:
        put_cumulative(row, &found, last, place, factor, grad, hess)
    elif place >= 0:
        put_died(row, &found, place, factor, grad, hess)
    else:
        put_survived(row, &found, last, factor, grad, hess)
    return value


cdef inline double run_row(const Row* row, const double* x, Py_ssize_t last, double event, double fraction,
                           double factor, double* grad, double* hess) noexcept nogil:
    """Return the value of a sample and write its derivatives, where they are wanted."""
    if row.kind == LOGISTIC_HAZARD:
        return logistic_hazard(row, x, last, event, factor, grad, hess)
    if row.kind == CONSTANT_HAZARD:
        return constant_hazard(row, x, last, event, fraction, factor, grad, hess)
    return mass_function(row, x, last, event, factor, grad, hess)
