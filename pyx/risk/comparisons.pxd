"""Samples compared with all who are observed longer: DeepHit's pairs, and the pairs that concordance counts.

Rows lie by time, the events of a time before its censorings, so that whoever is comparable with an event is behind it.
"""

from libc.stdint cimport int64_t, uint32_t

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    double exp(double x)

cdef enum:
    VECTOR = 16

# The distributions of all samples, a column each: `reached` is the mass of a cause up to an interval.
cdef struct Hits:
    Py_ssize_t rows, causes, intervals
    bint pad
    double inverse                 # 1/sigma
    const double* scores           # (rows, causes * intervals)
    const int64_t* interval
    const int64_t* cause           # 0 for a censored sample
    const int64_t* partners        # the first row that is comparable with an event
    const double* factor           # of the pairs of each event
    double* reached                # (causes * intervals, rows)
    double* pull                   # the same: derivatives by `reached`
    double* sums                   # of the pairs of each row


cdef inline double largest(const double* x, Py_ssize_t n, bint pad) noexcept nogil:
    cdef double top = 0.0 if pad else x[0]
    cdef Py_ssize_t k
    for k in range(n):
        top = x[k] if x[k] > top else top
    return top


cdef inline void reach(const Hits* h, Py_ssize_t i) noexcept nogil:
    """Fill the column of row i with its distribution functions, by cause."""
    cdef Py_ssize_t cells = h.causes * h.intervals, k
    cdef const double* x = h.scores + i * cells
    cdef double top = largest(x, cells, h.pad), total = exp(-top) if h.pad else 0.0, sum = 0.0
    for k in range(cells):
        total += exp(x[k] - top)
    for k in range(cells):
        if k % h.intervals == 0:
            sum = 0.0
        sum += exp(x[k] - top) / total
        h.reached[k * h.rows + i] = sum


cdef inline void compare_cell(const Hits* h, Py_ssize_t cell) noexcept nogil:
    """All pairs whose event has this cause and interval: exp(-(F_i - F_j)/sigma), and the derivatives by both F."""
    cdef const double* reached = h.reached + cell * h.rows
    cdef double* pull = h.pull + cell * h.rows
    cdef double lane[16]
    cdef double own, part, sum, step
    cdef Py_ssize_t i, j
    cdef int k
    for i in range(h.rows):
        if h.cause[i] == 0 or (h.cause[i] - 1) * h.intervals + h.interval[i] != cell:
            continue
        own = reached[i]
        step = h.factor[i] * h.inverse
        for k in range(VECTOR):
            lane[k] = 0.0
        j = h.partners[i]
        while j + VECTOR <= h.rows:
            for k in range(VECTOR):
                part = exp((reached[j + k] - own) * h.inverse)
                lane[k] += part
                pull[j + k] += part * step
            j += VECTOR
        sum = 0.0
        while j < h.rows:
            part = exp((reached[j] - own) * h.inverse)
            sum += part
            pull[j] += part * step
            j += 1
        for k in range(VECTOR):
            sum += lane[k]
        h.sums[i] = sum
        pull[i] -= sum * step


cdef inline void pull_back(const Hits* h, Py_ssize_t i, double* grad) noexcept nogil:
    """Add to the gradient of row i what its column was pulled by: through the sums up to an interval, and a softmax."""
    cdef Py_ssize_t cells = h.causes * h.intervals, k
    cdef const double* x = h.scores + i * cells
    cdef double top = largest(x, cells, h.pad), total = exp(-top) if h.pad else 0.0, mean = 0.0, later = 0.0
    for k in range(cells):
        total += exp(x[k] - top)
    for k in range(cells - 1, -1, -1):
        if (k + 1) % h.intervals == 0:
            later = 0.0
        later += h.pull[k * h.rows + i]
        h.pull[k * h.rows + i] = later
        mean += later * exp(x[k] - top) / total
    for k in range(cells):
        grad[i * cells + k] += (h.pull[k * h.rows + i] - mean) * exp(x[k] - top) / total


# ---- concordance -----------------------------------------------------------------------------------------------

cdef inline void enter(uint32_t* tree, Py_ssize_t n, Py_ssize_t place) noexcept nogil:
    """Add one at a place of a Fenwick tree over 0 … n - 1."""
    place += 1
    while place <= n:
        tree[place] += 1
        place += place & -place


cdef inline int64_t below(const uint32_t* tree, Py_ssize_t place) noexcept nogil:
    """How many have entered before a place."""
    cdef int64_t found = 0
    while place > 0:
        found += tree[place]
        place -= place & -place
    return found
