"""One sample at a time, vectorised over its classes: in place where they are neighbours, in buffers otherwise."""

from libc.stdlib cimport free, malloc

from blocks cimport narrow_run, real, stream, widen_run
from softmax.by_class cimport row_by_class
from softmax.call cimport Kernel, Rows, View, address, counts, is_direct, read_class


cdef inline void fetch(const Rows* rows, const View* view, Py_ssize_t sample, real* buffer) noexcept nogil:
    widen_run(address(rows, view, sample), view.classes, view.type, buffer, rows.classes)


cdef inline void deliver(const Rows* rows, const View* view, Py_ssize_t sample, const real* buffer) noexcept nogil:
    cdef char* target = address(rows, view, sample)
    if rows.streaming and is_direct(rows, view):
        stream(target, <const char*>buffer, rows.classes * sizeof(real))
    else:
        narrow_run(buffer, target, view.classes, view.type, rows.classes)


cdef inline void direct_row(Rows* rows, Py_ssize_t sample, real* buffer, real* top) noexcept nogil:
    """A row whose classes are neighbours, against a class: the gradient arises where it will stand, without a copy."""
    cdef const real* x = <const real*>address(rows, &rows.input, sample)
    cdef real* e = buffer
    cdef char* streamed = NULL
    cdef double value
    if rows.streaming:
        streamed = address(rows, &rows.grad, sample)
    elif rows.want_grad:
        e = <real*>address(rows, &rows.grad, sample)
    value = row_by_class(rows, sample, x, e, <real*>NULL, top, streamed)
    if rows.values != NULL:
        rows.values[sample] = value


cdef inline bint takes_distribution(const Rows* rows) noexcept nogil:
    """True if a class as target is handed over as a row of zeros and a one."""
    return not rows.soft and (rows.kernel.pick == NULL or (rows.smoothing > 0.0 and not rows.kernel.linear))


cdef inline void buffered_row(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e, real* q,
                              real* h) noexcept nogil:
    """Any row: read into a buffer, computed there, written from there."""
    cdef Py_ssize_t c, n = rows.classes, target = -1
    cdef const Kernel* kernel = rows.kernel
    cdef const double* numbers = rows.numbers
    cdef double value = 0.0
    if not counts(rows, sample):
        for c in range(n):
            e[c] = 0
            h[c] = 0
            t[c] = 0
    else:
        fetch(rows, &rows.input, sample, x)
        if rows.soft:
            fetch(rows, &rows.target, sample, t)
        else:
            target = read_class(rows, sample)
        if kernel.map32 != NULL:
            if real is float:
                kernel.map32(numbers + kernel.map_numbers, rows, sample, target, x)
            else:
                kernel.map64(numbers + kernel.map_numbers, rows, sample, target, x)
        if takes_distribution(rows):
            for c in range(n):
                t[c] = 0
            t[target] = 1
        if rows.soft or takes_distribution(rows):
            if real is float:
                value = kernel.float32(numbers, rows, sample, x, t, e, q, h)
            else:
                value = kernel.float64(numbers, rows, sample, x, t, e, q, h)
        else:
            value = row_by_class(rows, sample, x, e, h, q, NULL)
        if kernel.map32 != NULL:
            fetch(rows, &rows.input, sample, x)
            if real is float:
                kernel.pull32(numbers + kernel.map_numbers, rows, sample, target, x, e,
                              h if rows.want_hess else <float*>NULL)
            else:
                kernel.pull64(numbers + kernel.map_numbers, rows, sample, target, x, e,
                              h if rows.want_hess else <double*>NULL)
    if rows.values != NULL:
        rows.values[sample] = value
    if rows.want_grad:
        deliver(rows, &rows.grad, sample, <const real*>e)
    if rows.want_hess:
        deliver(rows, &rows.hess, sample, <const real*>h)
    if rows.want_target:
        deliver(rows, &rows.target_grad, sample, <const real*>t)


cdef inline bint picks_a_class(const Rows* rows) noexcept nogil:
    """True for losses of the log-probability of one class, without what only `buffered_row` does."""
    return (rows.kernel.pick != NULL and not rows.soft and not takes_distribution(rows) and rows.kernel.map32 == NULL
            and not rows.want_hess)


cdef inline void rows_chunk(Rows* rows, Py_ssize_t chunk, real tag) noexcept nogil:
    cdef Py_ssize_t sample = chunk * rows.chunk, stop = min(sample + rows.chunk, rows.samples), n = rows.classes
    cdef real* buffer = <real*>malloc(4 * (n + 16) * sizeof(real) + 2 * (n + 16) * sizeof(double))
    cdef real* q = buffer       # scratch, twice a row of float64
    cdef real* x = buffer + 2 * (n + 16) * (sizeof(double) // sizeof(real))
    cdef bint direct = (picks_a_class(rows) and is_direct(rows, &rows.input)
                        and (not rows.want_grad or is_direct(rows, &rows.grad)))
    if buffer == NULL:
        rows.failed = 1
        return
    while sample < stop:
        if direct and counts(rows, sample):
            direct_row(rows, sample, x, q)
        else:
            buffered_row(rows, sample, x, x + (n + 16), x + 2 * (n + 16), q, x + 3 * (n + 16))
        sample += 1
    free(buffer)
