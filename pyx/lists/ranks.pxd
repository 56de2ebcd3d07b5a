"""Metrics of ranks, with ranks that are counted by sigmoids: 1 + Σ sigmoid((s_j - s_i)/temperature)."""

from libc.math cimport M_LN2, log2

from lists.list cimport (
    BLOCK, LANES, List, Options, add_block_lanes, item_weight, score_difference, sigmoid, sort_falling,
)

cdef extern from "losslib/core/select.h" namespace "losslib" nogil:
    double select(bint condition, double if_true, double if_false)

cdef extern from "losslib/lists/pairs.h" namespace "losslib" nogil:
    double logistic_slope(double z)


cdef inline int vectors_of(Py_ssize_t items) noexcept nogil:
    """The vectors of LANES that hold so many items, at most a block of them."""
    return <int>((min(items, <Py_ssize_t>BLOCK) + LANES - 1) // LANES)


cdef inline double smooth_rank(const double* s, Py_ssize_t n, Py_ssize_t i, double inverse) noexcept nogil:
    """The rank of item i; s has LANES more places."""
    cdef double lane[64]
    cdef double found, own = s[i]
    cdef Py_ssize_t j = 0
    cdef int k, rest
    for k in range(BLOCK):
        lane[k] = 0.0
    while j < n:
        rest = <int>min(n - j, <Py_ssize_t>BLOCK)
        for k in range(LANES * vectors_of(n - j)):
            found = sigmoid(score_difference(s[j + k], own) * inverse)
            lane[k] += select(k < rest, found, 0.0)
        j += BLOCK
    return 0.5 + add_block_lanes(lane)   # with itself, by half


cdef inline double rank_slope(const double* s, const double* c, Py_ssize_t n, Py_ssize_t i,
                              double inverse) noexcept nogil:
    """Σ_j (c_j - c_i) times the slope of the sigmoid between i and j, which is the same both ways."""
    cdef double lane[64]
    cdef double z, p, own = s[i], level = c[i]
    cdef Py_ssize_t j = 0
    cdef int k, rest
    for k in range(BLOCK):
        lane[k] = 0.0
    while j < n:
        rest = <int>min(n - j, <Py_ssize_t>BLOCK)
        for k in range(LANES * vectors_of(n - j)):
            z = score_difference(s[j + k], own) * inverse
            p = (c[j + k] - level) * logistic_slope(z)
            lane[k] += select(k < rest, p, 0.0)
        j += BLOCK
    return add_block_lanes(lane) * inverse


cdef inline double* copy_scores(const List* l) noexcept nogil:
    cdef double* s = l.room[0]
    cdef Py_ssize_t i
    for i in range(l.n):
        s[i] = l.score[i]
    for i in range(l.n, l.n + LANES):
        s[i] = l.room[1][i] = 0.0
    return s


cdef inline double approx_ndcg(const Options* o, List* l) noexcept nogil:
    """-Σ gain/log2(1 + rank)/ideal; a list whose ideal is 0 has the value 0."""
    cdef double* s = copy_scores(l)
    cdef double* c = l.room[1]
    cdef double* gain = l.room[2]
    cdef double inverse = 1.0 / o.sigma, ideal = 0.0, value = 0.0, rank, log_rank
    cdef Py_ssize_t i
    for i in range(l.n):
        gain[i] = l.gain[i] * item_weight(l, i)
        l.grad[i] = l.hess[i] = 0.0
    sort_falling(gain, l.n, l.places)
    for i in range(l.n):
        ideal += gain[l.places[i].item] / log2(2.0 + i)
    if ideal == 0:
        return 0.0
    for i in range(l.n):
        c[i] = 0.0
        if gain[i] != 0:
            rank = smooth_rank(s, l.n, i, inverse)
            log_rank = log2(1.0 + rank)
            value -= gain[i] / ideal / log_rank
            c[i] = gain[i] / ideal / (log_rank * log_rank * (1.0 + rank) * M_LN2)
    for i in range(l.n):
        l.grad[i] = rank_slope(s, c, l.n, i, inverse)
    return value


cdef inline double approx_mrr(const Options* o, List* l) noexcept nogil:
    """-1/rank of the relevant item that is ranked first; without one the value is 0."""
    cdef double* s = copy_scores(l)
    cdef double* c = l.room[1]
    cdef double inverse = 1.0 / o.sigma, rank, least = 0.0
    cdef Py_ssize_t i, best = -1
    for i in range(l.n):
        c[i] = l.grad[i] = l.hess[i] = 0.0
        if l.label[i] >= 1:
            rank = smooth_rank(s, l.n, i, inverse)
            if best < 0 or rank < least:
                best, least = i, rank
    if best < 0:
        return 0.0
    c[best] = item_weight(l, best) / (least * least)
    for i in range(l.n):
        l.grad[i] = rank_slope(s, c, l.n, i, inverse)
    return -item_weight(l, best) / least
