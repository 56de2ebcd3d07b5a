"""Log-probabilities come in and the target is a class: of a row one number is read, and one of its gradient is not 0.

What the numbers of a run cost is the cache misses, one a row: loads that wait for nothing else stand in a loop of their
own, so that many are under way at a time.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from blocks cimport narrow_run, stream, widen_run
from job cimport FLOAT32, FLOAT64
from softmax.call cimport Rows, View, address, is_class, read_raw, scale_of

cdef extern from "losslib/softmax/softmax.h" namespace "losslib" nogil:
    T product_or_zero[T](T coefficient, T factor)

cdef enum:
    RUN = 128       # samples that are looked up together
    ZEROS = 4096    # bytes


cdef inline Py_ssize_t size_of(const View* view) noexcept nogil:
    return 8 if view.type == FLOAT64 else (4 if view.type == FLOAT32 else 2)


cdef inline void clear(const Rows* rows, const View* view, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    """Zeros for samples that stand at a constant distance; they are the same bytes in every type."""
    cdef char[ZEROS] zeros
    cdef char* base = address(rows, view, first)
    cdef Py_ssize_t size = size_of(view), step = view.inner if rows.inner > 1 else view.outer, row = rows.classes * size
    cdef Py_ssize_t c, j, done
    if view.classes == size and (not rows.streaming or row < 64):
        if step == row:
            memset(base, 0, n * row)
        else:
            for j in range(n):
                memset(base + j * step, 0, row)
    elif view.classes == size:
        memset(zeros, 0, min(row, <Py_ssize_t>ZEROS))
        for j in range(n):
            done = 0
            while done < row:
                stream(base + j * step + done, <const char*>zeros, min(<Py_ssize_t>ZEROS, row - done))
                done += ZEROS
    elif step == size:
        for c in range(rows.classes):
            memset(base + c * view.classes, 0, n * size)
    else:
        for j in range(n):
            for c in range(rows.classes):
                memset(base + j * step + c * view.classes, 0, size)


cdef inline void place_one(const View* view, char* target, double number) noexcept nogil:
    cdef float single
    if view.type == FLOAT64:
        (<double*>target)[0] = number
    elif view.type == FLOAT32:
        (<float*>target)[0] = <float>number
    else:
        single = <float>number
        narrow_run(<const float*>&single, target, 2, view.type, 1)


cdef inline void given_run(const Rows* rows, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    """Samples first … first + n, which stand at a constant distance in every array."""
    cdef int64_t[RUN] index
    cdef double[RUN] lp, value, slope
    cdef unsigned char[RUN] counted
    cdef const View* view = &rows.input
    cdef const char* base = address(rows, view, first)
    cdef char* grad
    cdef Py_ssize_t step = view.inner if rows.inner > 1 else view.outer, classes = rows.classes, j
    cdef float single
    cdef double weight
    read_raw(rows, first, n, index)
    for j in range(n):
        counted[j] = not (rows.ignoring and index[j] == rows.ignored)
        # What is no class becomes 0: whatever stands in memory by now, no access leaves the row.
        index[j] = index[j] if is_class(index[j], classes) else 0
    if rows.keep != NULL:
        for j in range(n):
            counted[j] &= rows.keep[first + j] != 0
    if view.type == FLOAT32:
        for j in range(n):
            lp[j] = (<const float*>(base + j * step + index[j] * view.classes))[0]
    elif view.type == FLOAT64:
        for j in range(n):
            lp[j] = (<const double*>(base + j * step + index[j] * view.classes))[0]
    else:
        for j in range(n):
            widen_run(base + j * step + index[j] * view.classes, 2, view.type, &single, 1)
            lp[j] = single
    rows.kernel.pick(rows.numbers, lp, value, slope, n)
    for j in range(n):
        value[j] = value[j] if counted[j] else 0.0
        slope[j] = slope[j] if counted[j] else 0.0
    if rows.class_weight != NULL:
        for j in range(n):
            weight = rows.class_weight[index[j]]
            value[j] = product_or_zero(weight, value[j])
            slope[j] = product_or_zero(weight, slope[j])
    if rows.values != NULL:
        memcpy(rows.values + first, value, n * sizeof(double))
    if rows.want_hess:
        clear(rows, &rows.hess, first, n)
    if rows.want_grad:
        clear(rows, &rows.grad, first, n)
        grad = address(rows, &rows.grad, first)
        step = rows.grad.inner if rows.inner > 1 else rows.grad.outer
        for j in range(n):
            if counted[j]:
                place_one(&rows.grad, grad + j * step + index[j] * rows.grad.classes,
                          slope[j] * scale_of(rows, first + j))


cdef inline void given_chunk(Rows* rows, Py_ssize_t chunk) noexcept nogil:
    cdef Py_ssize_t first = chunk * rows.chunk, stop = min(first + rows.chunk, rows.samples), n
    while first < stop:
        n = min(<Py_ssize_t>RUN, stop - first)
        if rows.inner > 1:      # a run does not cross from one outer position to the next
            n = min(n, rows.inner - first % rows.inner)
        given_run(rows, first, n)
        first += n
