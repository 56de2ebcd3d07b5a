"""Passes over rows of classes: softmax and steps of each node before the lattice, the gradient after it."""

from libc.math cimport INFINITY
from libc.math cimport log as c_log
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from blocks cimport item_size, narrow_run, real, sum_block, widen_run
from softmax.reduce cimport row_exp, row_max
from transducer.call cimport (
    Lattice, Transducer, address, blanks, element, emissions, is_direct, keeps_terms, node,
)

cdef enum:
    BLOCK = 512            # exponentials at a time, in the L1 cache


# ---- reading -----------------------------------------------------------------------------------------------------

cdef inline double sum_exp(const real* x, real m, real* kept, Py_ssize_t n) noexcept nogil:
    """sum(exp(x - m)) in float64, m the largest; the terms are kept where that is not NULL.

    NaN for a row of -inf, which is no distribution.
    """
    cdef real[BLOCK] e
    cdef Py_ssize_t start = 0, length
    cdef double total = 0.0
    while start < n:
        length = min(<Py_ssize_t>BLOCK, n - start)
        total += row_exp(x + start, m, <real*>e if kept == NULL else kept + start, length).sum
        start += length
    return total


cdef inline double outside_steps(const real* x, real m, real* kept, Py_ssize_t n, Py_ssize_t blank, Py_ssize_t label,
                                 double* total) noexcept nogil:
    """The part of a row's exponentials that is in neither step, -1 for none; where it is small, added up by itself, and
    the total anew. `kept` holds the exponentials if it is not NULL."""
    cdef real[BLOCK] e
    cdef real* terms = e
    cdef Py_ssize_t start = 0, length
    cdef double inside = 0.0, outside = 0.0, of_blank = 0.0, of_label = 0.0
    if blank >= 0:
        if kept == NULL:
            row_exp(x + blank, m, terms, 1)
        of_blank = <double>(kept[blank] if kept != NULL else terms[0])
    if label >= 0 and label != blank:
        if kept == NULL:
            row_exp(x + label, m, terms, 1)
        of_label = <double>(kept[label] if kept != NULL else terms[0])
    inside = of_blank + of_label
    if inside < 0.9 * total[0]:
        return (total[0] - inside) / total[0]
    while start < n:
        length = min(<Py_ssize_t>BLOCK, n - start)
        if kept != NULL:
            memcpy(terms, kept + start, length * sizeof(real))
        else:
            row_exp(x + start, m, terms, length)
        if start <= blank < start + length:
            terms[blank - start] = 0
        if start <= label < start + length:
            terms[label - start] = 0
        outside += sum_block(<const real*>terms, length)
        start += length
    total[0] = inside + outside
    return outside / total[0]


cdef inline void read_frame(const Transducer* job, Lattice* lattice, Py_ssize_t t, real* buffer) noexcept nogil:
    """Softmax and steps of the nodes of a frame.

    A log-probability is (x - largest) - log(sum): exact where all logits of a row share a large number.
    """
    cdef Py_ssize_t u, place
    cdef const int64_t* labels = job.targets + lattice.sample * (job.columns - 1)
    cdef const char* row
    cdef const real* x
    cdef real* kept = NULL
    cdef real largest
    cdef double blank, emit, m = 0.0, log_sum = 0.0, total
    cdef bint ends
    for u in range(lattice.columns):
        row = address(&job.logits, lattice.sample, t, u)
        blank = element(&job.logits, row, job.blank, <real>0)
        emit = -INFINITY
        if u < lattice.columns - 1:
            emit = element(&job.logits, row, labels[u], <real>0)
        if job.fused:
            x = <const real*>row
            if not is_direct(&job.logits, <real>0):
                widen_run(row, job.logits.strides[3], job.logits.type, buffer, job.classes)
                x = buffer
            if keeps_terms(job, <real>0):   # from here on the row may be gone
                kept = <real*>address(&job.grad, lattice.sample, t, u)
            largest = row_max(x, job.classes)
            total = sum_exp(x, largest, kept, job.classes)
            ends = t == lattice.frames - 1 and u < lattice.columns - 1      # the blank would leave the lattice
            lattice.outside[t * lattice.columns + u] = outside_steps(
                x, largest, kept, job.classes, -1 if ends else job.blank,
                labels[u] if u < lattice.columns - 1 else -1, &total)
            m = <double>largest
            log_sum = c_log(total)
            if job.want_grad:
                lattice.softmax[2 * (t * lattice.columns + u)] = m
                lattice.softmax[2 * (t * lattice.columns + u) + 1] = 1.0 / total
        place = node(lattice, t, u)
        # A blank that leaves the last frame ends the path: only the last node may take it.
        if t < lattice.frames - 1 or u == lattice.columns - 1:
            blanks(lattice)[place] = (blank - m) - log_sum
        emissions(lattice)[place] = (emit - m) - log_sum

# ---- writing -----------------------------------------------------------------------------------------------------

cdef inline double clamped(const Transducer* job, double slope) noexcept nogil:
    """Limit a derivative by `clamp`, which is off unless it is positive; NaN passes."""
    if job.clamp > 0.0:
        if slope > job.clamp:
            return job.clamp
        if slope < -job.clamp:
            return -job.clamp
    return slope


cdef inline void write_row(const Transducer* job, const Lattice* lattice, Py_ssize_t t, Py_ssize_t u,
                           real* buffer) noexcept nogil:
    """The gradient of a row: p_c times the share of the paths that leave the node, but for the two classes of a step.
    """
    cdef const char* row = address(&job.logits, lattice.sample, t, u)
    cdef char* target = address(&job.grad, lattice.sample, t, u)
    cdef Py_ssize_t c, label = -1, place = node(lattice, t, u)
    cdef double scale = job.scale[lattice.sample], slope, both = 0.0
    cdef real* g = <real*>target
    cdef real m = 0, factor = 0, most
    cdef bint direct = is_direct(&job.grad, <real>0)    # then the terms of the softmax stand there already
    if not direct:
        g = buffer

    if job.fused:
        m = <real>lattice.softmax[2 * (t * lattice.columns + u)]
        factor = <real>(lattice.alpha[place] * lattice.softmax[2 * (t * lattice.columns + u) + 1]
                        * (1.0 if job.clamp > 0.0 else scale))
    if factor == 0:
        memset(g, 0, job.classes * sizeof(real))
    else:
        if not direct:
            widen_run(row, job.logits.strides[3], job.logits.type, g, job.classes)
            row_exp(<const real*>g, m, g, job.classes)
        both = (lattice.alpha[place] * lattice.softmax[2 * (t * lattice.columns + u) + 1]) * <double>g[job.blank]
        for c in range(job.classes):
            g[c] = g[c] * factor
    if job.clamp > 0.0:
        most = <real>job.clamp
        for c in range(job.classes):
            g[c] = (most if g[c] > most else g[c]) * <real>scale
    if u < lattice.columns - 1:
        label = job.targets[lattice.sample * (job.columns - 1) + u]
        g[label] = <real>(clamped(job, emissions(lattice)[place]) * scale)
    if t < lattice.frames - 1 or u == lattice.columns - 1:
        slope = blanks(lattice)[place]
        if label == job.blank:      # with check=False: two steps of one class, whose softmax part counts once
            slope += emissions(lattice)[place] - both
        g[job.blank] = <real>(clamped(job, slope) * scale)

    if not direct:
        narrow_run(g, target, job.grad.strides[3], job.grad.type, job.classes)


cdef inline void write_frame(const Transducer* job, const Lattice* lattice, Py_ssize_t t, real* buffer) noexcept nogil:
    """The gradient of a frame, exactly zero past the lengths."""
    cdef Py_ssize_t u, c
    cdef Py_ssize_t inside = lattice.columns if t < lattice.frames else 0
    cdef char* row
    for u in range(inside):
        write_row(job, lattice, t, u, buffer)
    for u in range(inside, job.columns):
        row = address(&job.grad, lattice.sample, t, u)
        if job.grad.strides[3] == item_size(job.grad.type):
            memset(row, 0, job.classes * item_size(job.grad.type))
        else:
            for c in range(job.classes):
                memset(row + c * job.grad.strides[3], 0, item_size(job.grad.type))
