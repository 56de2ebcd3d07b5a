"""The positions of a tile: some of one sample, in the first-level cache with all their classes.

Which of them count, their class indices and weights, and the rows of inputs and targets, read as the type that is
computed in.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from blocks cimport real, sum_block
from overlap.call cimport BAD_CLASS, MAX_LANES, Job, address, read_indices, read_row, write_row

cdef struct Lanes:
    Py_ssize_t count
    bint whole           # every position counts once
    bint dropped         # some do not count
    double positions     # those that count, weighted
    double kept          # their number
    int32_t[MAX_LANES] label       # class indices; -1 where a position does not count
    unsigned char[MAX_LANES] keep
    double[MAX_LANES] weight       # 0 where it does not count


cdef inline bint all_are_classes(const Job* job, Lanes* lanes, Py_ssize_t n, Py_ssize_t first) noexcept nogil:
    """Read the class indices; True if every one is a class, and none the one that is ignored."""
    cdef Py_ssize_t j
    cdef uint64_t classes = <uint64_t>job.classes
    cdef int32_t signs = 0
    cdef int64_t[MAX_LANES] index
    if job.ignoring and <uint64_t>job.ignored < classes:
        return False
    read_indices(&job.target, n, first, index, lanes.count)
    for j in range(lanes.count):
        lanes.label[j] = <int32_t>index[j] if <uint64_t>index[j] < classes else -1
    for j in range(lanes.count):
        signs |= lanes.label[j]
    return signs >= 0


cdef inline int fill_lanes(const Job* job, Lanes* lanes, Py_ssize_t n, Py_ssize_t first,
                           Py_ssize_t count) noexcept nogil:
    """Read mask, weights and class indices of the positions; return BAD_CLASS for an index that is no class.

    A mask of one class says itself which of its positions are ignored.
    """
    cdef Py_ssize_t j
    cdef const char* source
    cdef int bad = 0, outside, kept = 0
    cdef bint dropped
    cdef int64_t classes = job.classes
    cdef int64_t[MAX_LANES] index
    cdef double[MAX_LANES] buffer
    cdef const double* mask
    cdef double ignored = <double>job.ignored
    lanes.count = count
    lanes.dropped = False
    lanes.whole = not job.indices and not job.ignoring and job.keep.data == NULL and job.weight.data == NULL
    lanes.positions = lanes.kept = <double>count
    if lanes.whole:
        return 0
    if job.indices and job.keep.data == NULL and job.weight.data == NULL and all_are_classes(job, lanes, n, first):
        lanes.whole = True
        for j in range(count):
            lanes.weight[j] = 1.0
        return 0
    memset(lanes.keep, 1, count)
    if job.keep.data != NULL:
        source = address(&job.keep, n, 0, first)
        for j in range(count):
            lanes.keep[j] = (<const unsigned char*>(source + j * job.keep.positions))[0] != 0
    if job.indices:
        read_indices(&job.target, n, first, index, count)
        if job.ignoring:
            for j in range(count):
                lanes.keep[j] &= index[j] != job.ignored
        for j in range(count):
            outside = (index[j] < 0) | (index[j] >= classes)
            bad |= outside & lanes.keep[j]
            lanes.keep[j] &= not outside
        for j in range(count):
            lanes.label[j] = <int32_t>index[j] if lanes.keep[j] else -1
    elif job.ignoring:
        mask = read_row(&job.target, n, 0, first, count, <double*>buffer)
        for j in range(count):
            lanes.keep[j] &= mask[j] != ignored
    for j in range(count):
        kept += lanes.keep[j]
    dropped = kept < count
    lanes.dropped = dropped
    lanes.kept = lanes.positions = <double>kept
    lanes.whole = not dropped and job.weight.data == NULL
    if job.weight.data != NULL and job.weight.classes == 0:
        source = address(&job.weight, n, 0, first)
        for j in range(count):
            lanes.weight[j] = (<const double*>(source + j * job.weight.positions))[0] if lanes.keep[j] else 0.0
    else:
        for j in range(count):
            lanes.weight[j] = 1.0 if lanes.keep[j] else 0.0
    lanes.positions = sum_block(<const double*>lanes.weight, count)
    return BAD_CLASS if bad else 0


cdef inline const real* input_row(const Job* job, const Lanes* lanes, Py_ssize_t n, Py_ssize_t c, Py_ssize_t first,
                                  real* buffer) noexcept nogil:
    """The inputs of a row, 0 where a position does not count: what stands there is not looked at."""
    cdef const real* row = read_row(&job.input, n, c, first, lanes.count, buffer)
    cdef Py_ssize_t j
    if lanes.dropped:
        for j in range(lanes.count):
            buffer[j] = row[j] if lanes.keep[j] else 0
        return buffer
    return row


cdef inline const real* target_row(const Job* job, const Lanes* lanes, Py_ssize_t n, Py_ssize_t c, Py_ssize_t first,
                                   real* buffer) noexcept nogil:
    cdef const real* row
    cdef Py_ssize_t j
    cdef int32_t label = <int32_t>c
    if job.indices:
        for j in range(lanes.count):
            buffer[j] = 1 if lanes.label[j] == label else 0
        return buffer
    row = read_row(&job.target, n, c, first, lanes.count, buffer)
    if lanes.dropped:
        for j in range(lanes.count):
            buffer[j] = row[j] if lanes.keep[j] else 0
        return buffer
    return row


cdef inline const double* weight_row(const Job* job, const Lanes* lanes, Py_ssize_t n, Py_ssize_t c, Py_ssize_t first,
                                     double* buffer) noexcept nogil:
    """The weights of a row, by position or by position and class."""
    cdef const char* source
    cdef Py_ssize_t j
    if job.weight.data == NULL or job.weight.classes == 0:
        return lanes.weight
    source = address(&job.weight, n, c, first)
    for j in range(lanes.count):
        buffer[j] = (<const double*>(source + j * job.weight.positions))[0] if lanes.keep[j] else 0.0
    return buffer


cdef inline void weigh(const Lanes* lanes, const double* weight, real* row) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(lanes.count):
        row[j] = <real>(row[j] * weight[j])


cdef inline void finish_row(const Job* job, const Lanes* lanes, const double* weight, Py_ssize_t n, Py_ssize_t c,
                            Py_ssize_t first, real* row) noexcept nogil:
    """Weigh a row of the gradient, unless weights are NULL, and write it; 0 where a position does not count."""
    cdef Py_ssize_t j
    if weight != NULL and not lanes.whole:
        weigh(lanes, weight, row)
    if lanes.dropped:
        for j in range(lanes.count):
            row[j] = row[j] if lanes.keep[j] else 0
    write_row(job, &job.grad, n, c, first, lanes.count, row)
