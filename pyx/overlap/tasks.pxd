"""Tasks: a run of positions of one sample, or a segment of a sample and class, in one of the types computed in.

Each takes its context, its number and the number of the thread, which has a scratch of its own.
"""

from libc.string cimport memset

from overlap.call cimport COUNTS, EXTRAS, Job, first_count
from overlap.counts cimport count_tile
from overlap.indices cimport by_indices, count_index_task, index_gradient_task
from overlap.lovasz cimport Segments, lovasz_segment, probability_tile
from overlap.sigmoids cimport all_by_sigmoid, count_sigmoid_task, kept_slope_task
from overlap.slopes cimport gradient_tile
from overlap.transform cimport Transform, distance_segment

cdef extern from "losslib/simd/stream.h" namespace "losslib" nogil:
    void stream_fence()


cdef inline void probability_task(void* context, Py_ssize_t task, int slot) noexcept nogil:
    cdef Job* job = <Job*>context
    cdef Py_ssize_t n = task // job.chunks, first = task % job.chunks * job.chunk
    cdef Py_ssize_t stop = min(first + job.chunk, job.positions), count
    cdef char* tile = job.scratch + slot * job.scratch_size
    while first < stop:
        count = min(job.lanes, stop - first)
        if job.wide:
            probability_tile(job, n, first, count, <double*>tile, <double*>job.grad.data)
        else:
            probability_tile(job, n, first, count, <float*>tile, <float*>job.grad.data)
        first += count


cdef inline void segment_task(void* context, Py_ssize_t task, int slot) noexcept nogil:
    cdef Segments* segments = <Segments*>context
    cdef char* scratch = segments.scratch + slot * segments.scratch_size
    if segments.job.wide:
        lovasz_segment(segments, task, scratch, <double>0)
    else:
        lovasz_segment(segments, task, scratch, <float>0)


cdef inline void distance_task(void* context, Py_ssize_t task, int slot) noexcept nogil:
    cdef Transform* transform = <Transform*>context
    cdef char* scratch = transform.scratch + slot * transform.scratch_size
    if transform.job.wide:
        distance_segment(transform, task, scratch, <double>0)
    else:
        distance_segment(transform, task, scratch, <float>0)


cdef inline void count_task(void* context, Py_ssize_t task, int slot) noexcept nogil:
    cdef Job* job = <Job*>context
    cdef Py_ssize_t size = COUNTS * job.classes + EXTRAS, n = task // job.chunks
    cdef Py_ssize_t first = task % job.chunks * job.chunk, stop = min(first + job.chunk, job.positions), count
    cdef double* sums = job.partials + task * size
    cdef char* tile = job.scratch + slot * job.scratch_size
    memset(sums, 0, size * sizeof(double))
    job.violations[task] = 0
    if all_by_sigmoid(job):
        if job.wide:
            job.violations[task] = count_sigmoid_task(job, task, n, first, stop, sums, <double>0)
        else:
            job.violations[task] = count_sigmoid_task(job, task, n, first, stop, sums, <float>0)
        return
    if by_indices(job):
        if job.wide:
            count_index_task(job, n, first, stop, <double*>tile, sums, job.violations + task)
        else:
            count_index_task(job, n, first, stop, <float*>tile, sums, job.violations + task)
        return
    while first < stop:
        count = min(job.lanes, stop - first)
        if job.wide:
            job.violations[task] |= count_tile(job, n, first, count, <double*>tile, sums)
        else:
            job.violations[task] |= count_tile(job, n, first, count, <float*>tile, sums)
        first += count


cdef inline void gradient_task(void* context, Py_ssize_t task, int slot) noexcept nogil:
    cdef Job* job = <Job*>context
    cdef Py_ssize_t n = task // job.chunks, first = task % job.chunks * job.chunk
    cdef Py_ssize_t stop = min(first + job.chunk, job.positions), count = first_count(job, n, first)
    cdef char* tile = job.scratch + slot * job.scratch_size
    cdef char* slopes = tile + job.scratch_size // 2
    cdef bint indexed = by_indices(job)
    if job.kept != NULL and job.kept[task]:
        if job.wide:
            kept_slope_task(job, n, first, stop, <double>0)
        else:
            kept_slope_task(job, n, first, stop, <float>0)
        return
    if indexed and job.wide:
        index_gradient_task(job, n, first, stop, <double*>tile)
    elif indexed:
        index_gradient_task(job, n, first, stop, <float*>tile)
    while not indexed and first < stop:
        count = min(count, stop - first)
        if job.wide:
            gradient_tile(job, n, first, count, <double*>tile, <double*>slopes)
        else:
            gradient_tile(job, n, first, count, <float*>tile, <float*>slopes)
        first += count
        count = job.lanes
    if job.streaming:
        stream_fence()
