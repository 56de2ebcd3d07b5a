"""One call of the pointwise geometry, as the driver of each instruction set reads it.

A job is a set of equally shaped operands. Its shape has been coalesced, so that arrays that lie in one piece have
one axis, and every operand walks the same elements in the same order. The first axis is the slowest.
"""

cdef enum:
    MAX_AXES = 64        # NumPy's own limit
    MAX_INPUTS = 3
    MAX_FACTORS = 4      # weight, sample weight, upstream gradient, and one to spare
    BLOCK = 512          # elements that the L1 buffers of a block hold
    TASK = 16384         # elements whose values are added up together: a multiple of BLOCK
    SMALL = 4096         # elements up to which the GIL is kept: releasing it costs more than the work
    LANES = 16           # what kernels compute at a time: a multiple of every register

    # What a kernel writes; the place of each derivative in a block's planes.
    VALUE_ONLY = 0
    GRAD_ONLY = 1
    VALUE_GRAD = 2
    VALUE_GRAD_HESS = 3
    VALUE_PAIR = 4       # the gradients of the two predictions
    ALL = 5
    KERNELS = 6
    PLANES = 7           # value, grad, hess, grad2, hess2, grad3, hess3

    # Element types in memory.
    FLOAT16 = 0
    BFLOAT16 = 1
    FLOAT32 = 2
    FLOAT64 = 3
    BOOL = 4

# Blocks of one loss: parameters, three inputs (the third repeats the second where a loss has two), value, grad, hess,
# factor of the derivatives, number of vectors of LANES elements. What is written overlaps nothing else.
ctypedef void (*KernelFloat)(const void*, const float*, const float*, const float*,
                             float*, float*, float*, float, Py_ssize_t) noexcept nogil
ctypedef void (*KernelDouble)(const void*, const double*, const double*, const double*,
                              double*, double*, double*, double, Py_ssize_t) noexcept nogil

# A loss, with what it does not have NULL: VALUE_PAIR without a second prediction, ALL where it sees input - target
# alone, so that a driver can turn the sign.
cdef struct KernelSet:
    const char* name
    int inputs
    double cost          # nanoseconds per element of value and gradient: float32, one thread
    KernelFloat float32[6]
    KernelDouble float64[6]

cdef struct Operand:
    char* data
    int type
    bint contiguous
    Py_ssize_t strides[64]

cdef struct Partial:
    double sum
    int violations       # bit k: input k left its domain

cdef struct Job:
    const KernelSet* kernels
    const void* parameters
    bint double_precision
    double cost          # nanoseconds that the call takes on one thread, estimated
    Py_ssize_t size
    int axes
    Py_ssize_t shape[64]

    int inputs
    Operand input[3]
    int domain[3]        # codes of registry.Domain; 0 is not checked
    bint check_only      # look at the domains, write nothing

    int value_factors    # the first so many factors multiply the value too (the weights)
    int factors
    Operand factor[4]
    bint masked
    Operand mask

    int kernel           # VALUE_ONLY … ALL
    bint reduce          # sum the values
    bint store_value
    Operand value
    double scale         # of every derivative
    int derivatives
    int plane[6]         # which plane of ALL each derivative comes from
    Operand derivative[6]
    bint streaming       # the outputs are too large for the caches: store past them
    bint prefetching     # the inputs are too large for the caches of a core: ask for blocks ahead
    bint stage           # an output is the memory of an input: compute into a buffer first

    Partial* partials    # one for each task

ctypedef void (*Driver)(Job*) noexcept

cdef struct Geometry:
    Driver run
