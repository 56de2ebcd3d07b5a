"""Plain calls of a pointwise loss: exact ndarrays of one float type, C-contiguous, one shape, no options.

Type, shape and layout are read through NumPy's C API, and a job is laid out on the stack.
"""

cimport numpy as cnp

from job cimport (
    FLOAT32, FLOAT64, GRAD_ONLY, VALUE_GRAD, VALUE_GRAD_HESS, VALUE_ONLY, VALUE_PAIR, Job, KernelSet, Operand,
)
from loss.kernel cimport use_program
from loss.modes cimport GRAD, MEAN, NONE, VALUE, VALUE_AND_GRAD, VALUE_GRAD_AND_HESS, Mode
from loss.run cimport Environment, run
from plain cimport is_plain, new_like, overlap, same_shape

# What the calls of one loss object have in common.
cdef struct PlainCall:
    const KernelSet* kernels
    const void* parameters
    double numbers[8]         # what `parameters` points to; a formula's are its program
    int domain[3]             # codes of the domains that the inputs are held to
    bint domains              # some input has a domain that is checked
    int inputs
    int reduction
    bint pair                 # two predictions: gradients come as a tuple of two
    bint averages             # the last axis is averaged before the reduction


cdef inline void describe(Operand* operand, object array, int type) noexcept:
    operand.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    operand.type = type
    operand.contiguous = True


cdef inline int mode_kernel(Mode mode) noexcept:
    if mode == VALUE:
        return VALUE_ONLY
    if mode == GRAD:
        return GRAD_ONLY
    return VALUE_GRAD if mode == VALUE_AND_GRAD else VALUE_GRAD_HESS


cdef inline int read(const PlainCall* call, Job* job, object first, tuple args) noexcept:
    """Lay out a job over the inputs and return their type, or -1 if they are not plain."""
    cdef object array
    cdef int type_number, type, k
    if not cnp.PyArray_CheckExact(first):
        return -1
    type_number = cnp.PyArray_TYPE(<cnp.ndarray>first)
    if type_number != cnp.NPY_FLOAT and type_number != cnp.NPY_DOUBLE:
        return -1
    type = FLOAT32 if type_number == cnp.NPY_FLOAT else FLOAT64
    for k in range(call.inputs):
        array = args[k]
        if not is_plain(array, type_number) or not same_shape(first, array):
            return -1
        describe(&job.input[k], array, type)
        job.domain[k] = call.domain[k]
    job.kernels = call.kernels
    job.parameters = call.parameters
    job.inputs = call.inputs
    job.size = cnp.PyArray_SIZE(<cnp.ndarray>first)
    job.axes = 1
    job.double_precision = type == FLOAT64
    job.check_only = False
    job.factors = 0
    job.value_factors = 0
    job.masked = False
    job.stage = False
    return type_number


cdef inline bint may_write(const PlainCall* call, Job* job, object out, object first) noexcept:
    """True if `out` is of the type and shape of the inputs, and if it shares memory with an input, it is that input
    to the byte, and no input has a domain to be checked first. Notes shared memory in the job."""
    cdef Py_ssize_t length = cnp.PyArray_NBYTES(<cnp.ndarray>first), distance
    cdef int k
    if not is_plain(out, cnp.PyArray_TYPE(<cnp.ndarray>first)) or not same_shape(first, out):
        return False
    if not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out):
        return False
    for k in range(call.inputs):
        distance = <char*>cnp.PyArray_DATA(<cnp.ndarray>out) - job.input[k].data
        if -length < distance < length:
            if call.domains or distance != 0:
                return False
            job.stage = True
    return True


cdef inline double divisor_of(const PlainCall* call, object first, Py_ssize_t size) noexcept:
    """What the sum of the values is divided by."""
    if call.reduction == MEAN:
        return <double>size
    if call.averages:
        return <double>cnp.PyArray_DIMS(<cnp.ndarray>first)[cnp.PyArray_NDIM(<cnp.ndarray>first) - 1]
    return 1.0


cdef inline object answer(const PlainCall* call, Environment* here, object program, Mode mode, tuple args, object out,
                          int* violations):
    """Answer a call, or return None for ``losslib.call.answer`` to answer or to complain.

    Bit k of `violations` says that input k has left its domain: the result means nothing then.
    """
    cdef Job job
    cdef object first = args[0], value = None, grad = None, second = None
    cdef bint two = mode == VALUE_GRAD_AND_HESS or (call.pair and mode != VALUE)    # arrays of derivatives
    cdef double total = 0.0, divisor
    cdef int type_number = read(call, &job, first, args), type
    if type_number < 0 or (call.pair and mode == VALUE_GRAD_AND_HESS):
        return None
    if call.averages and (call.reduction == NONE or cnp.PyArray_NDIM(<cnp.ndarray>first) == 0 or job.size == 0):
        return None

    if out is not None:
        if two:
            if not (isinstance(out, tuple) and len(<tuple>out) == 2):
                return None
            grad, second = <tuple>out
            if not may_write(call, &job, grad, first) or not may_write(call, &job, second, first):
                return None
            if overlap(grad, second):
                return None
        elif (mode == VALUE and call.reduction != NONE) or not may_write(call, &job, out, first):
            return None
        elif mode == VALUE:
            value = out
        else:
            grad = out
    type = job.input[0].type
    job.reduce = mode != GRAD and call.reduction != NONE
    job.store_value = mode != GRAD and call.reduction == NONE
    job.derivatives = 0
    if job.store_value:
        if value is None:
            value = new_like(first, type_number)
        describe(&job.value, value, type)
    if mode != VALUE:
        if grad is None:
            grad = new_like(first, type_number)
        describe(&job.derivative[0], grad, type)
        job.plane[0] = 1
        job.derivatives = 1
    if two:
        if second is None:
            second = new_like(first, type_number)
        describe(&job.derivative[1], second, type)
        job.plane[1] = 2
        job.derivatives = 2
    job.kernel = VALUE_PAIR if call.pair and mode != VALUE else mode_kernel(mode)
    divisor = divisor_of(call, first, job.size)
    job.scale = 1.0 / divisor
    if program is not None:
        use_program(program, &job)
    violations[0] = run(here, &job, &total)
    if violations[0]:
        return None

    if call.pair and mode != VALUE:
        grad = (grad, second)
    if mode == GRAD:
        return grad
    if job.reduce:
        value = total / divisor
    if mode == VALUE:
        return value
    return (value, grad) if mode == VALUE_AND_GRAD else (value, grad, second)
