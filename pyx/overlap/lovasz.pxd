"""Lovász losses of one segment: a class of the batch or of a sample, all positions of a sample, or everything.

A segment is gathered, its errors are sorted, and the slopes go back to where the probabilities (or, for the hinge, the
logits) stood. A segment is computed by one thread.
"""

from libc.stdint cimport uint32_t

from blocks cimport real
from overlap.call cimport MAX_LANES, SOFTMAX, Job
from overlap.lanes cimport Lanes, fill_lanes, target_row
from overlap.probabilities cimport Softmax, probability_row, softmax_tile

cdef extern from "losslib/overlap/lovasz.h" namespace "losslib" nogil:
    cppclass PlacedError[T]:
        uint32_t place
    PlacedError[T]* sort_descending[T](PlacedError[T]* items, PlacedError[T]* spare, Py_ssize_t count)
    double lovasz_sum[T](const PlacedError[T]* items, const T* mark, double total, T* weight, Py_ssize_t count)
    void set_key[T](PlacedError[T]& item, T error)


cdef struct Segments:
    Job* job
    char* field              # (samples, classes, positions), contiguous: probabilities in, slopes out
    double* values           # one for each segment
    const unsigned char* used    # classes whose segments count
    bint pools_samples
    bint hinge
    Py_ssize_t capacity      # positions of a segment, at most
    char* scratch            # for each thread
    Py_ssize_t scratch_size


cdef inline void probability_tile(const Job* job, Py_ssize_t n, Py_ssize_t first, Py_ssize_t count, real* tile,
                                  real* field) noexcept nogil:
    """Write the probabilities of a tile into the field."""
    cdef Lanes lanes
    cdef Softmax softmax
    cdef real[MAX_LANES] p, q
    cdef Py_ssize_t c, j
    cdef real* row
    fill_lanes(job, &lanes, n, first, count)
    if job.activation == SOFTMAX:
        softmax_tile(job, &lanes, n, first, tile, &softmax)
    for c in range(job.classes):
        probability_row(job, &lanes, &softmax, <const real*>tile, n, c, first, <real*>p, <real*>q)
        row = field + (n * job.classes + c) * job.positions + first
        for j in range(count):
            row[j] = p[j]


cdef inline void lovasz_segment(Segments* segments, Py_ssize_t segment, char* scratch, real tag) noexcept nogil:
    cdef Job* job = segments.job
    cdef Py_ssize_t c = segment if segments.pools_samples else segment % job.classes
    cdef Py_ssize_t n = 0 if segments.pools_samples else segment // job.classes
    cdef Py_ssize_t stop = job.samples if segments.pools_samples else n + 1
    cdef Py_ssize_t first, count, j, kept = 0
    cdef PlacedError[real]* items = <PlacedError[real]*>scratch
    cdef PlacedError[real]* spare = items + segments.capacity
    cdef PlacedError[real]* ordered
    cdef real* mark = <real*>(spare + segments.capacity)
    cdef real* weight = mark + segments.capacity
    cdef real* row
    cdef real[MAX_LANES] buffer
    cdef const real* t
    cdef real error
    cdef double total = 0.0
    cdef Lanes lanes
    cdef Py_ssize_t start = n
    segments.values[segment] = 0.0
    while n < stop:
        row = <real*>segments.field + (n * job.classes + c) * job.positions
        first = 0
        while first < job.positions:
            count = min(<Py_ssize_t>MAX_LANES, job.positions - first)
            fill_lanes(job, &lanes, n, first, count)
            t = target_row(job, &lanes, n, c, first, <real*>buffer)
            for j in range(count):
                if lanes.dropped and not lanes.keep[j]:
                    continue
                if segments.hinge:
                    error = 1 - row[first + j] * (2 * t[j] - 1)
                    error = 0 if error < 0 else error
                else:
                    error = row[first + j] - t[j]
                    error = -error if error < 0 else error
                set_key(items[kept], error)
                items[kept].place = <uint32_t>kept
                mark[kept] = t[j]
                total += <double>t[j]
                kept += 1
            first += count
        n += 1
    if kept > 0 and segments.used[c]:
        ordered = sort_descending(items, spare, kept)
        segments.values[segment] = lovasz_sum(<const PlacedError[real]*>ordered, <const real*>mark, total, weight, kept)
    # The slopes, back to their places in the order in which the errors were gathered.
    kept = 0
    n = start
    while n < stop:
        row = <real*>segments.field + (n * job.classes + c) * job.positions
        first = 0
        while first < job.positions:
            count = min(<Py_ssize_t>MAX_LANES, job.positions - first)
            fill_lanes(job, &lanes, n, first, count)
            for j in range(count):
                if lanes.dropped and not lanes.keep[j]:
                    row[first + j] = 0
                    continue
                if not segments.used[c]:
                    row[first + j] = 0
                elif segments.hinge:
                    error = 2 * mark[kept] - 1
                    row[first + j] = -error * weight[kept] if 1 - row[first + j] * error > 0 else 0
                else:
                    error = row[first + j] - mark[kept]
                    row[first + j] = weight[kept] if error > 0 else (-weight[kept] if error < 0 else 0)
                kept += 1
            first += count
        n += 1
