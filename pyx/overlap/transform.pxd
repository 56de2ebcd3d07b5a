"""Distances from the boundaries of a predicted and a true region, of one sample and class.

A position is as far from a boundary as from the nearest position on its other side. A segment, all positions of a
sample and class, is computed by one thread.
"""

from libc.math cimport INFINITY, pow
from libc.string cimport memset

from blocks cimport real
from overlap.call cimport MAX_LANES, Job
from overlap.lanes cimport Lanes, fill_lanes, target_row

cdef extern from "losslib/overlap/transform.h" namespace "losslib" nogil:
    cppclass Envelope:
        double* height
        double* start
        Py_ssize_t* site
    void lowest_parabolas(double* line, const Envelope& envelope, Py_ssize_t count)

cdef enum:
    MAX_AXES = 64        # of an array in NumPy
    LINES = 8            # neighbours that are read together: a line of the cache


cdef struct Transform:
    Job* job
    char* field              # probabilities, (samples, classes, positions), contiguous
    double* weight           # of that shape: distances of both regions, raised to alpha and added
    const unsigned char* used    # classes that count
    Py_ssize_t axes
    Py_ssize_t[MAX_AXES] lengths
    Py_ssize_t longest
    double alpha
    char* scratch            # for each thread
    Py_ssize_t scratch_size


cdef inline Py_ssize_t transform_scratch(const Transform* transform) noexcept nogil:
    """Bytes for the distances of a segment, some lines, an envelope and the marks of a segment."""
    return (transform.job.positions + (LINES + 2) * transform.longest) * <Py_ssize_t>sizeof(double) \
        + transform.longest * <Py_ssize_t>sizeof(Py_ssize_t) + transform.job.positions


cdef inline void squared_distances(const Transform* transform, double* numbers, double* lines) noexcept nogil:
    """numbers = squared distances from the nearest 0; they are 0 or infinite before."""
    cdef Envelope envelope
    cdef Py_ssize_t stride = transform.job.positions, axis, length, first, inner, width, k, j
    cdef double* start
    cdef double* line
    cdef double low, high
    envelope.height = lines + LINES * transform.longest
    envelope.start = envelope.height + transform.longest
    envelope.site = <Py_ssize_t*>(envelope.start + transform.longest)
    for axis in range(transform.axes):
        length = transform.lengths[axis]
        stride //= length
        first = 0
        while first < transform.job.positions:
            inner = 0
            while inner < stride:
                width = min(<Py_ssize_t>LINES, stride - inner)
                start = numbers + first + inner
                for k in range(length):
                    for j in range(width):
                        lines[j * length + k] = start[k * stride + j]
                for j in range(width):
                    line = lines + j * length
                    low = INFINITY
                    high = 0.0
                    for k in range(length):
                        low = min(low, line[k])
                        high = max(high, line[k])
                    if high > 0.0 and low < INFINITY:      # else nothing to do, or nothing to go by
                        lowest_parabolas(line, envelope, length)
                for k in range(length):
                    for j in range(width):
                        start[k * stride + j] = lines[j * length + k]
                inner += width
            first += length * stride


cdef inline void distance_segment(Transform* transform, Py_ssize_t segment, char* scratch, real tag) noexcept nogil:
    cdef Job* job = transform.job
    cdef Py_ssize_t n = segment // job.classes, c = segment % job.classes, first, count, j, marked, positions
    cdef double* weight = transform.weight + segment * job.positions
    cdef const real* p = <const real*>transform.field + segment * job.positions
    cdef double* numbers = <double*>scratch
    cdef double* lines = numbers + job.positions
    cdef unsigned char* mark = <unsigned char*>(<char*>(lines + (LINES + 2) * transform.longest)
                                                + transform.longest * <Py_ssize_t>sizeof(Py_ssize_t))
    cdef real[MAX_LANES] buffer
    cdef const real* t
    cdef Lanes lanes
    cdef int true_region, side
    positions = job.positions
    memset(weight, 0, positions * sizeof(double))
    if not transform.used[c]:
        return
    for true_region in range(2):
        marked = first = 0
        while first < positions:
            count = min(<Py_ssize_t>MAX_LANES, positions - first)
            fill_lanes(job, &lanes, n, first, count)
            t = target_row(job, &lanes, n, c, first, <real*>buffer) if true_region else p + first
            for j in range(count):
                mark[first + j] = t[j] > <real>0.5
                if lanes.dropped and not lanes.keep[j]:
                    mark[first + j] = 0
                marked += mark[first + j]
            first += count
        if marked == 0 or marked == positions:      # a region without a boundary
            continue
        for side in range(2):
            for j in range(positions):
                numbers[j] = INFINITY if mark[j] == side else 0.0
            squared_distances(transform, numbers, lines)
            if transform.alpha == 2.0:
                for j in range(positions):
                    weight[j] += numbers[j]
            else:
                for j in range(positions):
                    if numbers[j] > 0.0:
                        weight[j] += pow(numbers[j], 0.5 * transform.alpha)
