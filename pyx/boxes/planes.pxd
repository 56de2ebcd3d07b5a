"""Blocks of boxes: rows of four numbers become planes of sides, a kernel computes them, gradients become rows again."""

from blocks cimport real, sum_block

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
    const unsigned char* mask    # 0: a row that does not count and is not read; or NULL
    double* values               # one number a row, or NULL: then they are added up
    double* sums                 # one for each task
    int* violations              # one for each task: 1 the input, 2 the target has a side of negative length
    Py_ssize_t rows


cdef inline int load_planes(const Job* job, const char* rows, Py_ssize_t stride, Py_ssize_t first, int n, int width,
                            real* plane) noexcept nogil:
    """Read n boxes into planes; boxes that do not count, and those that fill up the last vector, become zeros.

    Return whether one that counts has a side of negative length.
    """
    cdef const real* box
    cdef int i, bad = 0
    cdef real a, b, c, d
    for i in range(n):
        box = <const real*>(rows + (first + i) * stride)
        plane[i] = box[0]
        plane[3 * STRIDE + i] = box[1]
        plane[STRIDE + i] = box[2]
        plane[4 * STRIDE + i] = box[3]
    if job.mask != NULL:
        for i in range(n):
            if job.mask[first + i] == 0:
                plane[i] = plane[STRIDE + i] = plane[3 * STRIDE + i] = plane[4 * STRIDE + i] = 0
    for i in range(n, width):
        plane[i] = plane[STRIDE + i] = plane[3 * STRIDE + i] = plane[4 * STRIDE + i] = 0
    if job.format == XYXY:
        for i in range(width):
            plane[2 * STRIDE + i] = plane[STRIDE + i] - plane[i]
            plane[5 * STRIDE + i] = plane[4 * STRIDE + i] - plane[3 * STRIDE + i]
    elif job.format == XYWH:
        for i in range(width):
            c = plane[STRIDE + i]
            d = plane[4 * STRIDE + i]
            plane[2 * STRIDE + i] = c
            plane[5 * STRIDE + i] = d
            plane[STRIDE + i] = plane[i] + c
            plane[4 * STRIDE + i] = plane[3 * STRIDE + i] + d
    else:
        for i in range(width):
            a = plane[i]
            b = plane[3 * STRIDE + i]
            c = plane[STRIDE + i]
            d = plane[4 * STRIDE + i]
            plane[2 * STRIDE + i] = c
            plane[5 * STRIDE + i] = d
            plane[i] = a - <real>0.5 * c
            plane[STRIDE + i] = a + <real>0.5 * c
            plane[3 * STRIDE + i] = b - <real>0.5 * d
            plane[4 * STRIDE + i] = b + <real>0.5 * d
    for i in range(width):
        bad |= (plane[2 * STRIDE + i] < 0) | (plane[5 * STRIDE + i] < 0)
    return bad


cdef inline void store_planes(const Job* job, char* rows, Py_ssize_t stride, Py_ssize_t first, int n,
                              const real* plane) noexcept nogil:
    """Write derivatives by low and high of both sides in the format of the boxes."""
    cdef real* box
    cdef int i
    cdef real low_x, high_x, low_y, high_y
    for i in range(n):
        box = <real*>(rows + (first + i) * stride)
        low_x = plane[i]
        high_x = plane[STRIDE + i]
        low_y = plane[2 * STRIDE + i]
        high_y = plane[3 * STRIDE + i]
        if job.format == XYXY:
            box[0] = low_x
            box[1] = low_y
            box[2] = high_x
            box[3] = high_y
        elif job.format == XYWH:
            box[0] = low_x + high_x
            box[1] = low_y + high_y
            box[2] = high_x
            box[3] = high_y
        else:
            box[0] = low_x + high_x
            box[1] = low_y + high_y
            box[2] = <real>0.5 * (high_x - low_x)
            box[3] = <real>0.5 * (high_y - low_y)


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
