"""One call of the margin geometry, as its drivers read it: rows of scores, what they are held against, the outputs."""

from blocks cimport real

cdef enum:
    BLOCK = 512          # classes that the buffers of a row hold at a time
    LANES = 16           # of a maximum or a sum within a row
    LINE = 64            # bytes of a cache line: what two threads write lies apart

# What the target of a row is.
cdef enum Target:
    CLASS = 0            # one int64
    CLASSES = 1          # a row of int64, ended by -1
    PROBABILITIES = 2    # a row of the type of the scores

cdef struct Job

# Computes a range of rows: the numbers of the loss, which it reads as its struct; nothing; call, first row, row behind
# the last, scratch of the thread.
ctypedef void (*RowsKernel)(const void*, const void*, const Job*, Py_ssize_t, Py_ssize_t, char*) noexcept nogil

cdef struct Kernel:
    RowsKernel float32
    RowsKernel float64
    Target target
    double cost          # nanoseconds per score, value and gradient: float32, AVX-512, one thread

cdef struct Job:
    const Kernel* kernel
    double margin               # the number of every kernel
    bint double_precision
    Py_ssize_t rows
    Py_ssize_t classes
    const char* input           # rows of `classes` scores in one piece
    Py_ssize_t input_stride     # bytes from row to row; the classes of a row lie in one piece
    const char* target
    Py_ssize_t target_stride
    const unsigned char* mask   # one a row, or NULL
    const double* scale         # factor of the gradient, one a row (step 1) or one for all (step 0)
    Py_ssize_t scale_step
    double* values
    char* grad                  # NULL: values only
    Py_ssize_t grad_stride
    char* scratch               # for each thread: a flag for a violated domain, a line later what lists need
    Py_ssize_t scratch_stride
    Py_ssize_t chunk            # rows of a task


cdef inline const real* scores_of(const Job* job, Py_ssize_t row, real tag) noexcept nogil:
    return <const real*>(job.input + row * job.input_stride)


cdef inline const char* target_of(const Job* job, Py_ssize_t row) noexcept nogil:
    return job.target + row * job.target_stride


cdef inline real* grad_of(const Job* job, Py_ssize_t row, real tag) noexcept nogil:
    if job.grad == NULL:
        return NULL
    return <real*>(job.grad + row * job.grad_stride)


cdef inline double scale_of(const Job* job, Py_ssize_t row) noexcept nogil:
    return job.scale[row * job.scale_step]


cdef inline bint is_masked(const Job* job, Py_ssize_t row) noexcept nogil:
    return job.mask != NULL and not job.mask[row]


cdef inline void fill(real* row, real value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        row[i] = value
