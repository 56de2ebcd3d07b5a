"""One call of the distance geometry, as its kernels read it: rows of up to three inputs, labels, gradients, options."""

from libc.string cimport memset

from blocks cimport real

cdef enum:
    BLOCK = 512          # elements of a row that are set aside when a gradient overwrites an input

cdef struct Job

# Computes a row. The first two arguments are NULL: they stand for a loss and a type of number.
ctypedef void (*RowKernel)(const void*, const void*, const Job*, Py_ssize_t) noexcept nogil

cdef struct Kernel:
    RowKernel float32
    RowKernel float64
    double cost          # nanoseconds per element of an input

cdef struct Job:
    const char* input[3]             # each rows x columns, the columns contiguous
    Py_ssize_t input_stride[3]       # bytes from row to row
    char* grad[3]                    # NULL where a gradient is not wanted
    Py_ssize_t grad_stride[3]
    const double* target             # one label a row, or NULL
    const double* scale              # one factor of the gradient a row, or NULL for `factor`
    double factor
    const unsigned char* mask        # 0: a row that does not count and is not read; or NULL
    double* value
    Py_ssize_t rows
    Py_ssize_t columns
    bint wanted                      # any gradient
    bint stage                       # a gradient lies on an input: read a block before it is written
    double margin
    double degree
    double eps
    bint swap


cdef inline const real* input_row(const Job* job, int k, Py_ssize_t row, real tag) noexcept nogil:
    return <const real*>(job.input[k] + row * job.input_stride[k])


cdef inline real* grad_row(const Job* job, int k, Py_ssize_t row, real tag) noexcept nogil:
    if job.grad[k] == NULL:
        return NULL
    return <real*>(job.grad[k] + row * job.grad_stride[k])


cdef inline double scale_of(const Job* job, Py_ssize_t row) noexcept nogil:
    return job.factor if job.scale == NULL else job.scale[row]


cdef inline void clear_gradients(const Job* job, Py_ssize_t row, size_t item) noexcept nogil:
    cdef int k
    for k in range(3):
        if job.grad[k] != NULL:
            memset(job.grad[k] + row * job.grad_stride[k], 0, job.columns * item)
