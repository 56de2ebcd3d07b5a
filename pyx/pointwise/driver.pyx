"""The driver of the pointwise geometry: losses that see one number (or a pair, or a triple) at a time.

A loss is a struct of ``include/losslib/pointwise/``, and its loops are compiled with those of its family
(``kernels.pxi``). The driver does not know which loss it runs: it calls one function pointer per block. ``loss/``
reaches it through the capsule ``geometry``.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cython.parallel cimport prange
from libc.string cimport memcpy

from blocks cimport (
    clear_masked, is_native, leaves_domain, load, load_mask, multiply, prefetch_block, real, store, stream_fence,
    sum_block,
)
from gate cimport ThreadGate
from job cimport ALL, BLOCK, GRAD_ONLY, LANES, SMALL, TASK, VALUE_GRAD_HESS, Geometry, Job
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")


cdef inline void call_kernel(const Job* job, int kernel, const real* a, const real* b, const real* c, real* value,
                             real* grad, real* hess, Py_ssize_t vectors) noexcept nogil:
    if real is float:
        job.kernels.float32[kernel](job.parameters, a, b, c, value, grad, hess, <float>job.scale, vectors)
    else:
        job.kernels.float64[kernel](job.parameters, a, b, c, value, grad, hess, job.scale, vectors)


cdef inline const real* padded(const real* values, real* buffer, Py_ssize_t n) noexcept nogil:
    """Return the n values with the last one repeated up to a vector; they may stand in the buffer already."""
    cdef Py_ssize_t i
    if values != buffer:
        memcpy(buffer, values, n * sizeof(real))
    for i in range(n, LANES):
        buffer[i] = buffer[n - 1]
    return buffer


cdef inline void derive_by_target(real* planes, Py_ssize_t n) noexcept nogil:
    """Fill in grad2 and hess2 of a loss of input - target from grad and hess."""
    cdef Py_ssize_t i
    for i in range(n):
        planes[3 * BLOCK + i] = -planes[BLOCK + i]
        planes[4 * BLOCK + i] = planes[2 * BLOCK + i]


cdef void run_task(Job* job, Py_ssize_t task, real tag) noexcept nogil:
    """TASK elements, a block at a time. Nothing here depends on which thread runs it or when."""
    cdef real[BLOCK] buffer_a, buffer_b, buffer_c, factor_buffer, product
    cdef real[7 * BLOCK] planes
    cdef unsigned char[BLOCK] mask_buffer
    cdef const real* a
    cdef const real* b
    cdef const real* c
    cdef const real* factor
    cdef const unsigned char* mask = NULL
    cdef real* value
    cdef real* derivative
    cdef real* place[2]
    cdef bint direct = not (job.factors or job.masked or job.stage or job.streaming or job.kernel == ALL)
    cdef bint in_place
    cdef bint of_difference = job.kernel == ALL and job.kernels.float32[ALL] == NULL
    cdef int kernel = VALUE_GRAD_HESS if of_difference else job.kernel
    cdef Py_ssize_t start = task * TASK, stop = min(start + TASK, job.size), n, i
    cdef double total = 0.0
    cdef int violations = 0, k
    while start < stop:
        n = min(<Py_ssize_t>BLOCK, stop - start)
        if job.prefetching:     # the hardware sees a run of BLOCK elements in one array, then one in another
            for k in range(job.inputs):
                prefetch_block(&job.input[k], start + BLOCK)
        a = load(job, &job.input[0], start, n, <real*>buffer_a)
        b = load(job, &job.input[1], start, n, <real*>buffer_b)
        c = b
        if job.inputs == 3:
            c = load(job, &job.input[2], start, n, <real*>buffer_c)
        if job.masked:
            mask = load_mask(job, start, n, mask_buffer)
        if job.domain[0] and leaves_domain(a, mask, job.masked, job.domain[0], n):
            violations |= 1
        if job.domain[1] and leaves_domain(b, mask, job.masked, job.domain[1], n):
            violations |= 2
        if job.inputs == 3 and job.domain[2] and leaves_domain(c, mask, job.masked, job.domain[2], n):
            violations |= 4
        if job.check_only:
            start += n
            continue

        if n < LANES:
            a = padded(a, <real*>buffer_a, n)
            b = padded(b, <real*>buffer_b, n)
            c = padded(c, <real*>buffer_c, n) if job.inputs == 3 else b

        # Write straight into the outputs where nothing has to be done to the numbers on the way.
        in_place = direct and n >= LANES
        value = planes
        if in_place and job.store_value and is_native(&job.value, tag):
            value = <real*>job.value.data + start
        for k in range(2):
            place[k] = <real*>planes + (k + 1) * BLOCK
            if in_place and k < job.derivatives and is_native(&job.derivative[k], tag):
                place[k] = <real*>job.derivative[k].data + start
        call_kernel(job, kernel, a, b, c, value, place[0], place[1], max(n // LANES, <Py_ssize_t>1))
        if n > LANES and n % LANES != 0:    # the last vector again from its own beginning: it gives the same bits
            i = n - LANES
            call_kernel(job, kernel, a + i, b + i, c + i, value + i, place[0] + i, place[1] + i, 1)
        if of_difference:
            derive_by_target(<real*>planes, n)

        if job.factors > 0:
            for i in range(n):
                product[i] = 1
            for k in range(job.factors):
                if k == job.value_factors and job.kernel != GRAD_ONLY:
                    multiply(value, <const real*>product, n)
                factor = load(job, &job.factor[k], start, n, <real*>factor_buffer)
                multiply(<real*>product, factor, n)
            if job.value_factors == job.factors and job.kernel != GRAD_ONLY:
                multiply(value, <const real*>product, n)
        if job.masked and job.kernel != GRAD_ONLY:
            clear_masked(value, mask, n)
        if job.reduce:
            total += sum_block(<const real*>value, n)
        if job.store_value and not (in_place and is_native(&job.value, tag)):
            store(job, &job.value, start, n, <const real*>value)
        for k in range(job.derivatives):
            if in_place and is_native(&job.derivative[k], tag):
                continue
            derivative = <real*>planes + job.plane[k] * BLOCK
            if job.factors > 0:
                multiply(derivative, <const real*>product, n)
            if job.masked:
                clear_masked(derivative, mask, n)
            store(job, &job.derivative[k], start, n, <const real*>derivative)
        start += n
    if job.streaming:
        stream_fence()
    job.partials[task].sum = total
    job.partials[task].violations = violations


cdef void run_tasks(Job* job, Py_ssize_t first, Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t task
    for task in range(first, stop):
        if job.double_precision:
            run_task(job, task, <double>0)
        else:
            run_task(job, task, <float>0)


cdef void run(Job* job) noexcept:
    """Run a job; only a large one uses threads and lets the GIL go."""
    cdef Py_ssize_t tasks = (job.size + TASK - 1) // TASK, i
    cdef FloatMode mode
    cdef int width = 1
    if job.size <= SMALL:
        run_tasks(job, 0, tasks)
        return
    mode = get_float_mode()
    with nogil:
        if tasks > 1:
            width = _gate.begin(job.cost)
        if width == 1:
            run_tasks(job, 0, tasks)
        else:
            for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                run_tasks(job, first_task(i, tasks, width), first_task(i + 1, tasks, width))
            _gate.end()


cdef Geometry _geometry
_geometry.run = run
geometry = PyCapsule_New(&_geometry, b"losslib.geometry", NULL)
