"""Blocks of boxes: rows of four numbers become planes of sides, a kernel computes them, gradients become rows again."""

from blocks cimport real, sum_block

cdef extern from "losslib/simd/batch.h" namespace "losslib" nogil:
    void sixteen_to_planes[T](const T* rows, T* first, T* second, T* third, T* fourth)
    void sixteen_to_rows[T](const T* first, const T* second, const T* third, const T* fourth, T* rows)

cdef enum:
    STRIDE = 64          # boxes of a block: box_stride of the header
    PLANES = 384         # numbers of a block: low, high, size of x and of y
    TASK = 4096          # boxes that a thread takes at a time: a multiple of STRIDE
    SMALL = 1024         # boxes up to which the GIL is kept

cdef enum Format:
    XYXY = 0
    XYWH = 1
    CXCYWH = 2

ctypedef void (*BlockFloat)(const void* kind, const double* numbers, const float* input, const float* target,
                            const float* scale, float* value, float* grad, float* target_grad, int count) noexcept nogil
ctypedef void (*BlockDouble)(const void* kind, const double* numbers, const double* input, const double* target,
                             const double* scale, double* value, double* grad, double* target_grad,
                             int count) noexcept nogil

cdef struct Kernel:
    BlockFloat[3] float32        # by the number of boxes that are differentiated: none, input, input and target
    BlockDouble[3] float64
    double cost                  # nanoseconds per box: float32, one thread

cdef struct Job:
    const Kernel* kernel
    double[2] numbers
    bint wide                    # float64
    int format
    const char* input            # rows of four numbers
    const char* target
    Py_ssize_t input_stride      # bytes from row to row
    Py_ssize_t target_stride
    char* grad                   # NULL where it is not wanted
    char* target_grad
    Py_ssize_t grad_stride
    Py_ssize_t target_grad_stride
    const double* scale          # one factor of the derivatives a row, or NULL for `factor`
    double factor
    const unsigned char* mask    # 0: a row that does not count; or NULL
    double* values               # one number a row, or NULL: then they are added up
    double* sums                 # one for each task
    int* violations              # one for each task: 1 the input, 2 the target has a side of negative length
    Py_ssize_t rows


cdef inline void as_planes(const char* rows, Py_ssize_t stride, int n, real* first, real* second, real* third,
                           real* fourth) noexcept nogil:
    """Read n rows of four numbers; what follows up to a multiple of sixteen becomes 0."""
    cdef int i = 0
    cdef const real* row
    while stride == 4 * sizeof(real) and i + 16 <= n:
        sixteen_to_planes(<const real*>rows + 4 * i, first + i, second + i, third + i, fourth + i)
        i += 16
    while i < n:
        row = <const real*>(rows + i * stride)
        first[i] = row[0]
        second[i] = row[1]
        third[i] = row[2]
        fourth[i] = row[3]
        i += 1
    while i % 16:
        first[i] = second[i] = third[i] = fourth[i] = 0
        i += 1


cdef inline void as_rows(const real* first, const real* second, const real* third, const real* fourth, int n,
                         char* rows, Py_ssize_t stride) noexcept nogil:
    cdef int i = 0
    cdef real* row
    while stride == 4 * sizeof(real) and i + 16 <= n:
        sixteen_to_rows(first + i, second + i, third + i, fourth + i, <real*>rows + 4 * i)
        i += 16
    while i < n:
        row = <real*>(rows + i * stride)
        row[0] = first[i]
        row[1] = second[i]
        row[2] = third[i]
        row[3] = fourth[i]
        i += 1


cdef inline int load_planes(const Job* job, const char* rows, Py_ssize_t stride, Py_ssize_t first, int n, int width,
                            real* plane) noexcept nogil:
    """Read n boxes into planes; boxes that do not count, and those that fill up the last vector, become zeros.

    Return whether one that counts has a side of negative length.
    """
    cdef real* x_low = plane
    cdef real* x_high = plane + STRIDE
    cdef real* x_size = plane + 2 * STRIDE
    cdef real* y_low = plane + 3 * STRIDE
    cdef real* y_high = plane + 4 * STRIDE
    cdef real* y_size = plane + 5 * STRIDE
    cdef int i, bad = 0
    if job.format == XYXY:
        as_planes(rows + first * stride, stride, n, x_low, y_low, x_high, y_high)
    else:
        as_planes(rows + first * stride, stride, n, x_low, y_low, x_size, y_size)
    if job.mask != NULL:
        for i in range(n):
            if not job.mask[first + i]:
                x_low[i] = y_low[i] = x_high[i] = y_high[i] = x_size[i] = y_size[i] = 0
    if job.format == XYXY:
        for i in range(width):
            x_size[i] = x_high[i] - x_low[i]
            y_size[i] = y_high[i] - y_low[i]
    elif job.format == XYWH:
        for i in range(width):
            x_high[i] = x_low[i] + x_size[i]
            y_high[i] = y_low[i] + y_size[i]
    else:       # the centres stand where the low ends go
        for i in range(width):
            x_high[i] = x_low[i] + <real>0.5 * x_size[i]
            y_high[i] = y_low[i] + <real>0.5 * y_size[i]
            x_low[i] = x_low[i] - <real>0.5 * x_size[i]
            y_low[i] = y_low[i] - <real>0.5 * y_size[i]
    for i in range(width):
        bad |= (x_size[i] < 0) | (y_size[i] < 0)
    return bad


cdef inline void store_planes(const Job* job, char* rows, Py_ssize_t stride, Py_ssize_t first, int n,
                              const real* plane) noexcept nogil:
    """Write derivatives by low and high of both sides in the format of the boxes."""
    cdef real[4 * STRIDE] column
    cdef const real* x_low = plane
    cdef const real* x_high = plane + STRIDE
    cdef const real* y_low = plane + 2 * STRIDE
    cdef const real* y_high = plane + 3 * STRIDE
    cdef int i
    rows += first * stride
    if job.format == XYXY:
        as_rows(x_low, y_low, x_high, y_high, n, rows, stride)
        return
    for i in range(n):
        column[i] = x_low[i] + x_high[i]
        column[STRIDE + i] = y_low[i] + y_high[i]
    if job.format == XYWH:
        as_rows(<const real*>column, <const real*>column + STRIDE, x_high, y_high, n, rows, stride)
        return
    for i in range(n):
        column[2 * STRIDE + i] = <real>0.5 * (x_high[i] - x_low[i])
        column[3 * STRIDE + i] = <real>0.5 * (y_high[i] - y_low[i])
    as_rows(<const real*>column, <const real*>column + STRIDE, <const real*>column + 2 * STRIDE,
            <const real*>column + 3 * STRIDE, n, rows, stride)


cdef inline int run_rows(const Job* job, Py_ssize_t start, Py_ssize_t stop, double* total, real tag) noexcept nogil:
    """Rows start to stop, a multiple of STRIDE after the first. Nothing depends on which thread runs it or when."""
    cdef real[PLANES] input, target
    cdef real[4 * STRIDE] grad, target_grad
    cdef real[STRIDE] scale, value
    cdef int n, width, i, bad = 0, wanted = 2 if job.target_grad != NULL else (1 if job.grad != NULL else 0)
    cdef Py_ssize_t first = start
    total[0] = 0.0
    for i in range(STRIDE):
        scale[i] = <real>job.factor
    while first < stop:
        n = <int>min(<Py_ssize_t>STRIDE, stop - first)
        width = (n + 15) // 16 * 16
        bad |= load_planes(job, job.input, job.input_stride, first, n, width, <real*>input)
        bad |= 2 * load_planes(job, job.target, job.target_stride, first, n, width, <real*>target)
        if job.scale != NULL:
            for i in range(n):
                scale[i] = <real>job.scale[first + i]
            for i in range(n, width):
                scale[i] = 0
        if real is float:
            job.kernel.float32[wanted](NULL, job.numbers, input, target, scale, value, grad, target_grad, width)
        else:
            job.kernel.float64[wanted](NULL, job.numbers, input, target, scale, value, grad, target_grad, width)
        if job.mask != NULL:
            for i in range(n):
                if job.mask[first + i] == 0:
                    value[i] = 0
                    grad[i] = grad[STRIDE + i] = grad[2 * STRIDE + i] = grad[3 * STRIDE + i] = 0
                    target_grad[i] = target_grad[STRIDE + i] = 0
                    target_grad[2 * STRIDE + i] = target_grad[3 * STRIDE + i] = 0
        if job.values != NULL:
            for i in range(n):
                job.values[first + i] = <double>value[i]
        else:
            total[0] += sum_block(<const real*>value, n)
        if job.grad != NULL:
            store_planes(job, job.grad, job.grad_stride, first, n, <const real*>grad)
        if job.target_grad != NULL:
            store_planes(job, job.target_grad, job.target_grad_stride, first, n, <const real*>target_grad)
        first += n
    return bad


cdef inline void run_tasks(Job* job, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """The tasks first to last; what one finds stands apart."""
    cdef Py_ssize_t task, start, stop
    for task in range(first, last):
        start = task * TASK
        stop = min(start + TASK, job.rows)
        if job.wide:
            job.violations[task] = run_rows(job, start, stop, job.sums + task, <double>0)
        else:
            job.violations[task] = run_rows(job, start, stop, job.sums + task, <float>0)
