"""Rows under smooth ranks: average precision by histograms, and by sigmoids of differences.

Each takes a row and its roles, and leaves in it the derivatives times the factor. ``a`` and ``b`` are buffers of a row.
"""

from libc.math cimport floor

from blocks cimport real
from similarity.call cimport POSITIVE, Call
from similarity.shares cimport clear, sigmoid

cdef enum:
    BINS = 1024            # edges of a histogram


cdef inline Py_ssize_t edge_below(double place, Py_ssize_t bins, double* share) noexcept nogil:
    """The edge below a place, and what of it belongs to the next; -1 for a place that no edge is near to."""
    cdef Py_ssize_t k
    if not (place < <double>(bins + 1)):
        return -1
    if place < 0.0:
        place = 0.0
    k = <Py_ssize_t>floor(place)
    share[0] = place - <double>k
    return k


cdef inline void fast_ap(const Call* call, real* d, const unsigned char* role, double factor,
                         double* out) noexcept nogil:
    """1 - sum_k h+_k H+_k/H_k over the positives, of soft histograms of squared distances in [0, 4].

    An entry is shared by the two edges beside it; beyond the last one it fades within the width of a bin.
    """
    cdef double[BINS] near, all, by_near, by_all
    cdef Py_ssize_t bins = <Py_ssize_t>call.numbers[0], j, k
    cdef double width = 4.0 / <double>bins, count = 0.0, share, below = 0.0, total = 0.0, value = 0.0, sum, g
    cdef double later = 0.0, later_all = 0.0, slope
    for k in range(bins + 2):
        near[k] = all[k] = 0.0
    for j in range(call.columns):
        if role[j] == 0:
            continue
        if role[j] == POSITIVE:
            count += 1.0
        k = edge_below(<double>d[j] / width, bins, &share)
        if k < 0:
            value += <double>d[j] * 0.0     # NaN stays
            continue
        all[k] += 1.0 - share
        all[k + 1] += share
        if role[j] == POSITIVE:
            near[k] += 1.0 - share
            near[k + 1] += share
    if count == 0.0:
        clear(d, call.columns)
        return
    # value = 1 - sum_k f_k/count, f = h+ H+/H. By h+_k: H+_k/H_k, and of all later ones h+_l/H_l; by h_k: -f_l/H_l.
    for k in range(bins + 1):
        below += near[k]
        total += all[k]
        by_near[k] = below
        by_all[k] = total
        if total > 0.0:
            value += near[k] * below / total
    out[0] = 1.0 - value / count
    out[1] = 1.0
    if not call.want_grad:
        return
    by_near[bins + 1] = by_all[bins + 1] = 0.0      # no edge: what is beyond the last one
    k = bins + 1
    while k > 0:
        k -= 1
        sum = by_all[k]
        below = by_near[k]
        if sum > 0.0:
            later += near[k] / sum
            later_all -= near[k] * below / (sum * sum)
            by_near[k] = below / sum + later
        else:
            by_near[k] = later
        by_all[k] = later_all
    for j in range(call.columns):
        if role[j] == 0:
            d[j] = 0
            continue
        k = edge_below(<double>d[j] / width, bins, &share)
        if k < 0:
            d[j] = 0
            continue
        slope = by_all[k + 1] - by_all[k]
        if role[j] == POSITIVE:
            slope += by_near[k + 1] - by_near[k]
        g = -factor * slope / (count * width)
        d[j] = <real>g


cdef inline void smooth_ap(const Call* call, real* s, const unsigned char* role, real* a, Py_ssize_t i, double factor,
                           double* out) noexcept nogil:
    """1 - mean over the row's class, itself included, of (1 + ranks within the class)/(1 + ranks among all).

    A rank is the sum of sigmoids of differences over the temperature. Entry i stands for the row itself.
    """
    cdef double inverse = 1.0 / call.numbers[0], among, all, step, g, own, share, x
    cdef Py_ssize_t j, k, n = call.columns, me = call.first + i if call.own else -1, members = call.own
    for j in range(n):
        a[j] = 0
        members += role[j] == POSITIVE
    if members - call.own == 0:
        clear(s, n)
        return
    for j in range(n):
        if role[j] != POSITIVE and j != me:
            continue
        among = all = 1.0
        x = <double>s[j]
        for k in range(n):
            if k == j or (role[k] == 0 and k != me):
                continue
            step = sigmoid((<double>s[k] - x) * inverse)
            all += step
            if role[k] == POSITIVE or k == me:
                among += step
        out[0] += among / all
        if not call.want_grad:
            continue
        # d(-among/all)/members: by a step within the class -1/all + among/all^2, by one outside among/all^2.
        own = 0.0
        for k in range(n):
            if k == j or (role[k] == 0 and k != me):
                continue
            step = sigmoid((<double>s[k] - x) * inverse)
            share = among / (all * all)
            if role[k] == POSITIVE or k == me:
                share -= 1.0 / all
            g = factor * share * step * (1.0 - step) * inverse / <double>members
            a[k] = <real>(<double>a[k] + g)
            own -= g
        a[j] = <real>(<double>a[j] + own)
    out[0] = 1.0 - out[0] / <double>members
    out[1] = 1.0
    if call.want_grad:
        for j in range(n):
            s[j] = a[j]
