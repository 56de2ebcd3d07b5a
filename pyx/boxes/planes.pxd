"""Blocks of boxes: rows of four numbers become planes of sides, a kernel computes them, gradients become rows again."""

from blocks cimport real, sum_block

cdef extern from "losslib/simd/batch.h" namespace "losslib" nogil:
    void transpose_four[T](const T* source, Py_ssize_t source_step, T* target, Py_ssize_t target_step)

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


cdef inline void transposed(const char* rows, Py_ssize_t stride, int n, real* columns) noexcept nogil:
    """columns[k] = the number k of n rows, four by four."""
    cdef int i = 0, k
    while i + 4 <= n:
        transpose_four(<const real*>(rows + i * stride), stride, columns + i, STRIDE * <Py_ssize_t>sizeof(real))
        i += 4
    while i < n:
        for k in range(4):
            columns[k * STRIDE + i] = (<const real*>(rows + i * stride))[k]
        i += 1


cdef inline void transposed_back(const real* columns, int n, char* rows, Py_ssize_t stride) noexcept nogil:
    cdef int i = 0, k
    while i + 4 <= n:
        transpose_four(columns + i, STRIDE * <Py_ssize_t>sizeof(real), <real*>(rows + i * stride), stride)
        i += 4
    while i < n:
        for k in range(4):
            (<real*>(rows + i * stride))[k] = columns[k * STRIDE + i]
        i += 1


cdef inline int load_planes(const Job* job, const char* rows, Py_ssize_t stride, Py_ssize_t first, int n, int width,
                            real* plane) noexcept nogil:
    """Read n boxes into planes; boxes that do not count, and those that fill up the last vector, become zeros.

    Return whether one that counts has a side of negative length.
    """
    cdef real[4 * STRIDE] column
    cdef int i, k, bad = 0
    transposed(rows + first * stride, stride, n, <real*>column)
    if job.mask != NULL:
        for k in range(4):
            for i in range(n):
                column[k * STRIDE + i] = column[k * STRIDE + i] if job.mask[first + i] else 0
    for k in range(4):
        for i in range(n, width):
            column[k * STRIDE + i] = 0
    if job.format == XYXY:
        for i in range(width):
            plane[i] = column[i]
            plane[STRIDE + i] = column[2 * STRIDE + i]
            plane[2 * STRIDE + i] = column[2 * STRIDE + i] - column[i]
            plane[3 * STRIDE + i] = column[STRIDE + i]
            plane[4 * STRIDE + i] = column[3 * STRIDE + i]
            plane[5 * STRIDE + i] = column[3 * STRIDE + i] - column[STRIDE + i]
    elif job.format == XYWH:
        for i in range(width):
            plane[i] = column[i]
            plane[STRIDE + i] = column[i] + column[2 * STRIDE + i]
            plane[2 * STRIDE + i] = column[2 * STRIDE + i]
            plane[3 * STRIDE + i] = column[STRIDE + i]
            plane[4 * STRIDE + i] = column[STRIDE + i] + column[3 * STRIDE + i]
            plane[5 * STRIDE + i] = column[3 * STRIDE + i]
    else:
        for i in range(width):
            plane[i] = column[i] - <real>0.5 * column[2 * STRIDE + i]
            plane[STRIDE + i] = column[i] + <real>0.5 * column[2 * STRIDE + i]
            plane[2 * STRIDE + i] = column[2 * STRIDE + i]
            plane[3 * STRIDE + i] = column[STRIDE + i] - <real>0.5 * column[3 * STRIDE + i]
            plane[4 * STRIDE + i] = column[STRIDE + i] + <real>0.5 * column[3 * STRIDE + i]
            plane[5 * STRIDE + i] = column[3 * STRIDE + i]
    for i in range(width):
        bad |= (plane[2 * STRIDE + i] < 0) | (plane[5 * STRIDE + i] < 0)
    return bad


cdef inline void store_planes(const Job* job, char* rows, Py_ssize_t stride, Py_ssize_t first, int n,
                              const real* plane) noexcept nogil:
    """Write derivatives by low and high of both sides in the format of the boxes."""
    cdef real[4 * STRIDE] column
    cdef int i
    if job.format == XYXY:
        for i in range(n):
            column[i] = plane[i]
            column[STRIDE + i] = plane[2 * STRIDE + i]
            column[2 * STRIDE + i] = plane[STRIDE + i]
            column[3 * STRIDE + i] = plane[3 * STRIDE + i]
    elif job.format == XYWH:
        for i in range(n):
            column[i] = plane[i] + plane[STRIDE + i]
            column[STRIDE + i] = plane[2 * STRIDE + i] + plane[3 * STRIDE + i]
            column[2 * STRIDE + i] = plane[STRIDE + i]
            column[3 * STRIDE + i] = plane[3 * STRIDE + i]
    else:
        for i in range(n):
            column[i] = plane[i] + plane[STRIDE + i]
            column[STRIDE + i] = plane[2 * STRIDE + i] + plane[3 * STRIDE + i]
            column[2 * STRIDE + i] = <real>0.5 * (plane[STRIDE + i] - plane[i])
            column[3 * STRIDE + i] = <real>0.5 * (plane[3 * STRIDE + i] - plane[2 * STRIDE + i])
    transposed_back(<const real*>column, n, rows + first * stride, stride)


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
