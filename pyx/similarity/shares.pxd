"""Rows of similarities under logarithms of sums of exponentials: each takes a row s and its roles, and leaves in s the
derivatives times the factor. Outputs are value, units, and two numbers of the loss's own.

Every such logarithm uses the maximum of its own terms. ``a`` and ``b`` are buffers of a row.
"""

from libc.math cimport INFINITY
from libc.math cimport exp as c_exp
from libc.math cimport log as c_log
from libc.math cimport log1p as c_log1p

from blocks cimport real
from similarity.call cimport NEGATIVE, POSITIVE, Call
from softmax.reduce cimport row_exp, row_max

# log of a sum of exponentials over some entries of a row: log(sum) + top, -inf for none.
cdef struct Total:
    double top
    double sum
    Py_ssize_t count


cdef inline double log_of(Total total) noexcept nogil:
    return total.top + c_log(total.sum) if total.count > 0 else -INFINITY


cdef inline Total add_up(const real* s, const unsigned char* role, unsigned char roles, double scale, double shift,
                         real* e, Py_ssize_t n) noexcept nogil:
    """Sum exp(scale (s - shift)) over the entries whose role is among the bits of `roles`; e keeps exp(. - top)."""
    cdef Total total
    cdef real factor = <real>scale, origin = <real>shift
    cdef Py_ssize_t j, count = 0
    for j in range(n):
        count += (role[j] & roles) != 0
    total.count = count
    if count == 0:
        total.top = -INFINITY
        total.sum = 0.0
        for j in range(n):
            e[j] = 0
        return total
    for j in range(n):
        e[j] = factor * (s[j] - origin) if role[j] & roles else <real>-INFINITY
    total.top = <double>row_max(e, n)
    if total.top == -INFINITY:
        total.top = 0.0
    total.sum = row_exp(e, <real>total.top, e, n).sum
    return total


cdef inline double softplus(double x) noexcept nogil:
    return x + c_log1p(c_exp(-x)) if x > 0.0 else c_log1p(c_exp(x))


cdef inline double sigmoid(double x) noexcept nogil:
    return 1.0 / (1.0 + c_exp(-x)) if x > 0.0 else c_exp(x) / (1.0 + c_exp(x))


cdef inline double log_plus_one(Total total) noexcept nogil:
    """log(1 + sum)."""
    cdef double logarithm
    if total.count == 0:
        return 0.0
    logarithm = log_of(total)
    return logarithm + c_log1p(c_exp(-logarithm)) if logarithm > 0.0 else c_log1p(c_exp(logarithm))


cdef inline double of_plus_one(Total total) noexcept nogil:
    """What exp(. - top) is multiplied by to be a share of 1 + sum."""
    cdef double logarithm = log_of(total)
    if total.count == 0:
        return 0.0
    return sigmoid(logarithm) / total.sum


cdef inline double sum_of(const real* s, const unsigned char* role, unsigned char roles, Py_ssize_t n) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t j
    for j in range(n):
        if role[j] & roles:
            total += <double>s[j]
    return total


cdef inline void clear(real* s, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        s[j] = 0


cdef inline void mean_positive(const Call* call, real* s, const unsigned char* role, real* a, double factor,
                               double* out) noexcept nogil:
    """scale (lse(s/t) - mean over positives of s/t) over everything that is not outside: SupCon, N-pairs."""
    cdef double t = call.numbers[0], scale = call.numbers[1], share, each
    cdef Py_ssize_t j, n = call.columns
    cdef Total total = add_up(s, role, POSITIVE | NEGATIVE, 1.0 / t, 0.0, a, n)
    cdef Py_ssize_t positives = 0
    for j in range(n):
        positives += role[j] == POSITIVE
    if positives == 0:
        clear(s, n)
        return
    out[0] = scale * (log_of(total) - sum_of(s, role, POSITIVE, n) / (t * <double>positives))
    out[1] = 1.0
    if call.want_grad:
        share = factor * scale / (t * total.sum)
        each = factor * scale / (t * <double>positives)
        for j in range(n):
            s[j] = <real>share * a[j] - (<real>each if role[j] == POSITIVE else <real>0)


cdef inline void each_positive(const Call* call, real* s, const unsigned char* role, real* a, double factor,
                               double* out) noexcept nogil:
    """log(exp(s_p/t) + sum over negatives) - s_p/t for each positive: NT-Xent by labels."""
    cdef double t = call.numbers[0], rest, logit, both, weight = 0.0, below
    cdef Py_ssize_t j, n = call.columns
    cdef Total total = add_up(s, role, NEGATIVE, 1.0 / t, 0.0, a, n)
    rest = log_of(total)
    for j in range(n):
        if role[j] == POSITIVE:
            logit = <double>s[j] / t
            out[0] += softplus(rest - logit) if rest > -INFINITY else 0.0
            out[1] += 1.0
            both = sigmoid(rest - logit) if rest > -INFINITY else 0.0
            weight += both
            s[j] = <real>(-both * factor / t) if call.want_grad else s[j]
    if call.want_grad:
        below = weight * factor / (t * total.sum) if total.count > 0 else 0.0
        for j in range(n):
            if role[j] != POSITIVE:
                s[j] = <real>below * a[j]


cdef inline void circle(const Call* call, real* s, const unsigned char* role, real* a, real* b, double factor,
                        double* out) noexcept nogil:
    """sp(lse_N(g w_n (s - m)) + lse_P(-g w_p (s - 1 + m))) with w_p = relu(1 + m - s), w_n = relu(s + m)."""
    cdef double m = call.numbers[0], gamma = call.numbers[1], slope
    cdef bint detached = call.numbers[2] != 0.0
    cdef Py_ssize_t j, n = call.columns
    cdef Total positives, negatives
    cdef real x, w, g = <real>gamma, margin = <real>m
    for j in range(n):      # the exponents themselves
        x = s[j]
        if role[j] == POSITIVE:
            w = 1 + margin - x
            a[j] = -g * (w if w > 0 else <real>0) * (x - 1 + margin)
        else:
            w = x + margin
            a[j] = g * (w if w > 0 else <real>0) * (x - margin)
    positives = add_up(<const real*>a, role, POSITIVE, 1.0, 0.0, b, n)
    for j in range(n):      # b keeps the shares of both
        if role[j] != POSITIVE:
            b[j] = a[j]
    negatives = add_up(<const real*>a, role, NEGATIVE, 1.0, 0.0, a, n)
    for j in range(n):
        if role[j] == POSITIVE:
            a[j] = b[j]
    if positives.count == 0 or negatives.count == 0:
        clear(s, n)
        out[1] = call.numbers[3]
        return
    slope = log_of(positives) + log_of(negatives)
    out[0] = softplus(slope)
    out[1] = 1.0 if out[0] != 0.0 or call.numbers[3] != 0.0 else 0.0      # NaN counts
    if not call.want_grad:
        return
    slope = factor * sigmoid(slope) * gamma
    for j in range(n):
        x = s[j]
        if role[j] == POSITIVE:
            w = 1 + margin - x
            x = -w if detached else -w + (x - 1 + margin)
            s[j] = <real>(slope / positives.sum) * a[j] * (x if w > 0 else <real>0)
        elif role[j] == NEGATIVE:
            w = x + margin
            x = w if detached else w + (x - margin)
            s[j] = <real>(slope / negatives.sum) * a[j] * (x if w > 0 else <real>0)
        else:
            s[j] = 0


cdef inline void two_sums(const Call* call, real* s, const unsigned char* role, real* a, real* b, double factor,
                          double* out) noexcept nogil:
    """u log(1 + sum over positives of exp(-p (s - c))) + v log(1 + sum over negatives of exp(q (s - d))).

    Multi-similarity; and with proxies as rows, proxy anchor.
    """
    cdef double p = call.numbers[0], q = call.numbers[1], u = call.numbers[4], v = call.numbers[5]
    cdef Py_ssize_t j, n = call.columns
    cdef Total positives = add_up(s, role, POSITIVE, -p, call.numbers[2], a, n)
    cdef Total negatives = add_up(s, role, NEGATIVE, q, call.numbers[3], b, n)
    cdef real pull, push
    out[0] = u * log_plus_one(positives) + v * log_plus_one(negatives)
    out[1] = 1.0
    if call.want_grad:
        pull = <real>(-factor * u * p * of_plus_one(positives))
        push = <real>(factor * v * q * of_plus_one(negatives))
        for j in range(n):
            s[j] = pull * a[j] + push * b[j]


cdef inline void neighbours(const Call* call, real* s, const unsigned char* role, real* a, real* b, double factor,
                            double* out) noexcept nogil:
    """lse of -scale d over everything less that over the positives: NCA and proxy NCA."""
    cdef double scale = call.numbers[0]
    cdef Py_ssize_t j, n = call.columns
    cdef Total all = add_up(s, role, POSITIVE | NEGATIVE, -scale, 0.0, a, n)
    cdef Total positives = add_up(s, role, POSITIVE, -scale, 0.0, b, n)
    cdef real share, own
    if positives.count == 0:
        clear(s, n)
        return
    out[0] = log_of(all) - log_of(positives)
    out[1] = 1.0
    if call.want_grad:
        share = <real>(-factor * scale / all.sum)
        own = <real>(factor * scale / positives.sum)
        for j in range(n):
            s[j] = share * a[j] + own * b[j]


cdef inline void one_positive(const Call* call, real* s, const unsigned char* role, real* a, double factor,
                              double* out) noexcept nogil:
    """lse over the candidates less the positive, of s/t: InfoNCE; decoupled, the positive is no candidate."""
    cdef double t = call.numbers[0]
    cdef Py_ssize_t j, n = call.columns, place = -1
    cdef Total total
    cdef real share
    for j in range(n):
        if role[j] == POSITIVE:
            place = j
    if place < 0:
        clear(s, n)
        return
    total = add_up(s, role, NEGATIVE if call.numbers[1] != 0.0 else POSITIVE | NEGATIVE, 1.0 / t, 0.0, a, n)
    out[0] = log_of(total) - <double>s[place] / t
    if call.numbers[1] == 0.0 and out[0] < 0.0:     # by rounding: the positive is among them
        out[0] = 0.0
    out[1] = 1.0
    if call.want_grad:
        share = <real>(factor / (t * total.sum)) if total.count > 0 else <real>0
        for j in range(n):
            s[j] = share * a[j]
        s[place] = <real>(<double>s[place] - factor / t)


cdef inline void both_ways(const Call* call, real* s, const unsigned char* role, real* a, Py_ssize_t i, double factor,
                           double* out) noexcept nogil:
    """Half the cross entropy of the row and half of the column of its positive, of scale s.

    `column_number` are the logarithms of the sums of the columns, `row_number` the factors of the rows as columns. The
    third output is the slope by the scale.
    """
    cdef double scale = call.numbers[0], by_scale = 0.0, x, g
    cdef Py_ssize_t j, n = call.columns, place = call.first + i
    cdef Total total = add_up(s, role, POSITIVE | NEGATIVE, scale, 0.0, a, n)
    cdef double row = log_of(total)
    out[0] = 0.5 * ((row - scale * <double>s[place]) + (call.column_number[place] - scale * <double>s[place]))
    if out[0] < 0.0:        # by rounding: the positive is in both sums
        out[0] = 0.0
    out[1] = 1.0
    if not call.want_grad:
        return
    for j in range(n):
        if role[j] == 0:
            s[j] = 0
            continue
        x = <double>s[j]
        g = 0.5 * (factor * <double>a[j] / total.sum + call.row_number[j] * c_exp(scale * x - call.column_number[j]))
        if j == place:
            g -= factor
        by_scale += g * x
        s[j] = <real>(g * scale)
    out[2] = by_scale


cdef inline void every_pair(const Call* call, real* s, const unsigned char* role, double factor,
                            double* out) noexcept nogil:
    """sp(-z (scale s + bias)) over all pairs, z = 1 for the positive: SigLIP. Then slopes by scale and bias."""
    cdef double scale = call.numbers[0], bias = call.numbers[1], x, z, g
    cdef Py_ssize_t j
    out[1] = 1.0
    for j in range(call.columns):
        if role[j] == 0:
            s[j] = 0
            continue
        x = <double>s[j]
        z = 1.0 if role[j] == POSITIVE else -1.0
        out[0] += softplus(-z * (scale * x + bias))
        if call.want_grad:
            g = -z * sigmoid(-z * (scale * x + bias)) * factor
            out[2] += g * x
            out[3] += g
            s[j] = <real>(g * scale)


cdef inline void soft_triple(const Call* call, real* s, real* a, Py_ssize_t i, double factor,
                             double* out) noexcept nogil:
    """Cross entropy of la (S_c - margin [c = y]), where S_c is a mean of the similarities to the centres of a class,
    weighted by their softmax with 1/gamma."""
    cdef double la = call.numbers[0], inverse = 1.0 / call.numbers[1], margin = call.numbers[2]
    cdef Py_ssize_t centers = <Py_ssize_t>call.numbers[3], classes = call.columns // centers, c, k, y
    cdef double largest, total, mean, top = -INFINITY, sum = 0.0, g, share
    y = call.row_label[i]
    for c in range(classes):
        largest = -INFINITY
        for k in range(centers):
            largest = max(largest, <double>s[c * centers + k])
        total = mean = 0.0
        for k in range(centers):
            share = c_exp((<double>s[c * centers + k] - largest) * inverse)
            total += share
            mean += share * <double>s[c * centers + k]
        mean /= total
        a[c] = <real>(la * (mean - (margin if c == y else 0.0)))
        top = max(top, <double>a[c])
    for c in range(classes):
        sum += c_exp(<double>a[c] - top)
    out[0] = c_log(sum) + (top - <double>a[y])
    out[1] = 1.0
    if not call.want_grad:
        return
    for c in range(classes):
        g = factor * la * (c_exp(<double>a[c] - top) / sum - (1.0 if c == y else 0.0))
        largest = -INFINITY
        for k in range(centers):
            largest = max(largest, <double>s[c * centers + k])
        total = mean = 0.0
        for k in range(centers):
            share = c_exp((<double>s[c * centers + k] - largest) * inverse)
            total += share
            mean += share * <double>s[c * centers + k]
        mean /= total
        for k in range(centers):
            share = c_exp((<double>s[c * centers + k] - largest) * inverse) / total
            s[c * centers + k] = <real>(g * share * (1.0 + inverse * (<double>s[c * centers + k] - mean)))


cdef inline void spread(const Call* call, real* d, const unsigned char* role, real* a, double factor,
                        double* out) noexcept nogil:
    """lse of -t d over the row, in the third output; its derivative is a share of the sum of all, exp(numbers[1])."""
    cdef double t = call.numbers[0], share
    cdef Py_ssize_t j, n = call.columns
    cdef Total total = add_up(d, role, POSITIVE | NEGATIVE, -t, 0.0, a, n)
    out[2] = log_of(total)
    if call.want_grad:
        share = -factor * t * c_exp(total.top - call.numbers[1]) if total.count > 0 else 0.0
        for j in range(n):
            d[j] = <real>share * a[j]
