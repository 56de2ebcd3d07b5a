"""Rows of distances under hinges: pairs and triplets, without a list of either.

Each takes a row d and its roles, and leaves in d the derivatives times the factor; ``a`` and ``b`` are buffers.
"""

from libc.math cimport INFINITY
from libc.math cimport exp as c_exp
from libc.math cimport log1p as c_log1p

from blocks cimport real
from similarity.call cimport NEGATIVE, POSITIVE, Call
from similarity.shares cimport Total, add_up, clear, log_of, sigmoid, softplus
from softmax.reduce cimport row_max

cdef extern from "losslib/similarity/triplets.h" namespace "losslib" nogil:
    struct Triplets:
        double value
        double count
    const Py_ssize_t FEW "losslib::few_bounds"
    Triplets few_triplets[T](const T* d, const Py_ssize_t* places, Py_ssize_t p, const T* others, Py_ssize_t n,
                             double margin, T* counts)
    Triplets many_triplets[T](const T* positives, Py_ssize_t p, const T* negatives, Py_ssize_t n, double margin,
                              T* of_positives, T* of_negatives, T* order, double* sums)


cdef inline double hinge(double v, bint soft) noexcept nogil:
    return softplus(v) if soft else (v if v > 0.0 or v != v else 0.0)


cdef inline double hinge_slope(double v, bint soft) noexcept nogil:
    return sigmoid(v) if soft else (1.0 if v > 0.0 else 0.0)


cdef inline Py_ssize_t largest_of(const real* d, const unsigned char* role, unsigned char wanted, real sign, real* a,
                                  Py_ssize_t n) noexcept nogil:
    """The first place with this role whose number times the sign is largest, that of the last NaN if there is one.

    -1 for none.
    """
    cdef Py_ssize_t j
    cdef unsigned char bad = 0
    cdef real top
    for j in range(n):
        a[j] = sign * d[j] if role[j] == wanted else <real>-INFINITY
    for j in range(n):
        bad |= a[j] != a[j]
    if bad:
        for j in range(n - 1, -1, -1):
            if a[j] != a[j]:
                return j
    top = row_max(a, n)
    for j in range(n):
        if a[j] == top and role[j] == wanted:
            return j
    return -1


cdef inline void hardest(const Call* call, real* d, const unsigned char* role, real* a, real* b, double factor,
                         double* out) noexcept nogil:
    """The farthest positive against the nearest negative; the first of equal ones."""
    cdef double margin = call.numbers[0], v, slope
    cdef bint soft = call.numbers[1] != 0.0
    cdef Py_ssize_t n = call.columns, far = largest_of(d, role, POSITIVE, 1, a, n)
    cdef Py_ssize_t near = largest_of(d, role, NEGATIVE, -1, b, n)
    if far < 0 or near < 0:
        clear(d, n)
        return
    v = <double>d[far] - <double>d[near] + margin
    out[0] = hinge(v, soft)
    out[1] = 1.0
    if call.want_grad:
        slope = factor * hinge_slope(v, soft)
        clear(d, n)
        d[far] = <real>slope
        d[near] = <real>-slope


cdef inline void semi_hard(const Call* call, real* d, const unsigned char* role, real* a, double factor,
                           double* out) noexcept nogil:
    """For each positive the nearest negative that is farther, else the farthest of all negatives."""
    cdef double margin = call.numbers[0], v, slope
    cdef bint soft = call.numbers[1] != 0.0
    cdef Py_ssize_t p, j, n = call.columns, beyond, farthest = -1, missing = -1
    clear(a, n)
    for j in range(n):
        if role[j] == NEGATIVE and (farthest < 0 or d[j] > d[farthest]):
            farthest = j
        if role[j] == NEGATIVE and d[j] != d[j]:
            missing = j
    if farthest >= 0:
        for p in range(n):
            if role[p] != POSITIVE:
                continue
            beyond = -1
            for j in range(n):
                if role[j] == NEGATIVE and d[j] > d[p] and (beyond < 0 or d[j] < d[beyond]):
                    beyond = j
            if beyond < 0:
                beyond = farthest
            v = <double>d[p] - <double>d[beyond] + margin
            out[0] += hinge(v, soft)
            out[1] += 1.0
            slope = factor * hinge_slope(v, soft)
            a[p] = <real>(<double>a[p] + slope)
            a[beyond] = <real>(<double>a[beyond] - slope)
        if missing >= 0 and out[1] > 0.0:       # a distance that is no number is never the nearest
            out[0] = <double>d[missing]
    if call.want_grad:
        for j in range(n):
            d[j] = a[j]


cdef inline void all_soft_triplets(const Call* call, real* d, const unsigned char* role, real* a, double factor,
                                   double* out) noexcept nogil:
    cdef double v, total, slope
    cdef Py_ssize_t p, j, n = call.columns
    clear(a, n)
    for p in range(n):
        if role[p] != POSITIVE:
            continue
        for j in range(n):
            if role[j] == NEGATIVE:
                v = <double>d[p] - <double>d[j] + call.numbers[0]
                total = softplus(v)
                out[0] += total
                out[1] += 1.0 if total > 0.0 else 0.0
                slope = factor * sigmoid(v)
                a[p] = <real>(<double>a[p] + slope)
                a[j] = <real>(<double>a[j] - slope)
    if call.want_grad:
        for j in range(n):
            d[j] = a[j]


cdef inline void all_triplets(const Call* call, real* d, const unsigned char* role, real* a, real* b, double* sums,
                              double factor, double* out) noexcept nogil:
    """Every positive against every negative."""
    cdef Py_ssize_t j, n = call.columns, positives = 0
    cdef Py_ssize_t[16] places     # as many as FEW
    cdef Triplets found
    if call.numbers[1] != 0.0:
        all_soft_triplets(call, d, role, a, factor, out)
        return
    for j in range(n):
        if role[j] == POSITIVE:
            if positives == FEW:
                many_positives(call, d, role, a, b, sums, factor, out)
                return
            places[positives] = j
            positives += 1
    for j in range(n):
        a[j] = d[j] if role[j] == NEGATIVE else <real>INFINITY
    found = few_triplets(d, places, positives, a, n, call.numbers[0], b)
    out[0] = found.value
    out[1] = found.count
    if not call.want_grad:
        return
    for j in range(n):
        d[j] = <real>(-factor * <double>b[j])
    for j in range(positives):
        d[places[j]] = -d[places[j]]


cdef inline void many_positives(const Call* call, real* d, const unsigned char* role, real* a, real* b, double* sums,
                                double factor, double* out) noexcept nogil:
    """The same with positives in front of ``a`` and negatives behind them, and their counts in ``b``."""
    cdef Py_ssize_t j, n = call.columns, p = 0, q = 0, positives = 0
    cdef Triplets found
    for j in range(n):
        positives += role[j] == POSITIVE
    for j in range(n):
        if role[j] == POSITIVE:
            a[p] = d[j]
            p += 1
        elif role[j] == NEGATIVE:
            a[positives + q] = d[j]
            q += 1
    found = many_triplets(a, positives, a + positives, q, call.numbers[0], b, b + positives, b + n, sums)
    out[0] = found.value
    out[1] = found.count
    if not call.want_grad:
        return
    p, q = 0, positives
    for j in range(n):
        if role[j] == POSITIVE:
            d[j] = <real>(factor * <double>b[p])
            p += 1
        elif role[j] == NEGATIVE:
            d[j] = <real>(-factor * <double>b[q])
            q += 1
        else:
            d[j] = 0


cdef inline void around_border(const Call* call, real* d, const unsigned char* role, Py_ssize_t i, double factor,
                               double* out) noexcept nogil:
    """|N| relu(m + d - b) over positives and |P| relu(m + b - d) over negatives, and how many count: the margin loss.

    The border b is `row_number`; the third output is the slope by it.
    """
    cdef double margin = call.numbers[0], border = call.row_number[i], v, weight, slope
    cdef Py_ssize_t j, n = call.columns, positives = 0, negatives = 0
    for j in range(n):
        positives += role[j] == POSITIVE
        negatives += role[j] == NEGATIVE
    for j in range(n):
        if role[j] == 0:
            d[j] = 0
            continue
        v = margin + (<double>d[j] - border if role[j] == POSITIVE else border - <double>d[j])
        weight = <double>(negatives if role[j] == POSITIVE else positives)
        slope = 0.0
        if v > 0.0 or v != v:
            out[0] += weight * v
            out[1] += weight
            slope = factor * (weight if role[j] == POSITIVE else -weight)
            out[2] -= slope
        if call.want_grad:
            d[j] = <real>slope


cdef inline void two_hinges(const Call* call, real* d, const unsigned char* role, double factor,
                            double* out) noexcept nogil:
    """relu(d - pm) over positives and relu(nm - d) over negatives, each with a weight: value and count of both."""
    cdef double near = call.numbers[0], far = call.numbers[1], v
    cdef Py_ssize_t j
    for j in range(call.columns):
        v = 0.0
        if role[j] == POSITIVE:
            v = <double>d[j] - near
            if v > 0.0 or v != v:
                out[0] += v
                out[1] += 1.0
        elif role[j] == NEGATIVE:
            v = far - <double>d[j]
            if v > 0.0 or v != v:
                out[2] += v
                out[3] += 1.0
        if call.want_grad:
            if v > 0.0:
                d[j] = <real>(factor * (call.numbers[2] if role[j] == POSITIVE else -call.numbers[3]))
            else:
                d[j] = 0


cdef inline void lifted_row(const Call* call, real* d, const unsigned char* role, real* a, real* b, double factor,
                            double* out) noexcept nogil:
    """relu(lse_P(d - pm) + lse_N(nm - d)), 0 if either is empty: the generalised lifted structure."""
    cdef Py_ssize_t j, n = call.columns
    cdef Total positives = add_up(d, role, POSITIVE, 1.0, call.numbers[1], a, n)
    cdef Total negatives = add_up(d, role, NEGATIVE, -1.0, call.numbers[0], b, n)
    cdef double v
    cdef real pull, push
    out[1] = 1.0
    if positives.count == 0 or negatives.count == 0:
        clear(d, n)
        return
    v = log_of(positives) + log_of(negatives)
    out[0] = v if v > 0.0 or v != v else 0.0
    if call.want_grad:
        pull = <real>(factor / positives.sum) if v > 0.0 else <real>0
        push = <real>(factor / negatives.sum) if v > 0.0 else <real>0
        for j in range(n):
            d[j] = pull * a[j] - push * b[j]


cdef inline void negative_sum(const Call* call, real* d, const unsigned char* role, real* b,
                              double* out) noexcept nogil:
    """lse_N(nm - d), which `lifted_pairs` needs of both members of a pair."""
    out[2] = log_of(add_up(d, role, NEGATIVE, -1.0, call.numbers[0], b, call.columns))


cdef inline void lifted_pairs(const Call* call, real* d, const unsigned char* role, real* b, Py_ssize_t i,
                              double factor, double* out) noexcept nogil:
    """Half the square of relu(d - pm + lse over the negatives of both) for each ordered positive pair.

    `column_number` are the logarithms of the sums over the negatives: of the columns, and from the place that the third
    number says, of the rows. `row_number` are the factors of the pairs that begin at a column. A pair appears in both
    of its rows, and the negatives of a row get their part of both.
    """
    cdef Py_ssize_t j, n = call.columns
    cdef double own = call.column_number[<Py_ssize_t>call.numbers[2] + call.first + i], other, joint, v, weight = 0.0
    cdef Total negatives
    cdef real push
    for j in range(n):
        if role[j] != POSITIVE:
            continue
        out[1] += 1.0
        other = call.column_number[j]
        joint = max(own, other)
        if joint == -INFINITY:
            if call.want_grad:
                d[j] = 0
            continue
        joint = joint + c_log1p(c_exp(min(own, other) - joint))
        v = <double>d[j] - call.numbers[1] + joint
        if not (v > 0.0 or v != v):
            v = 0.0
        out[0] += 0.5 * v * v
        if call.want_grad:
            weight += (factor + call.row_number[j]) * v * c_exp(own - joint)
        if call.want_grad:
            d[j] = <real>(factor * v)
    if call.want_grad:
        negatives = add_up(d, role, NEGATIVE, -1.0, call.numbers[0], b, n)
        push = <real>(weight / negatives.sum) if negatives.count > 0 else <real>0
        for j in range(n):
            if role[j] == NEGATIVE:
                d[j] = -push * b[j]
            elif role[j] == 0:
                d[j] = 0
