"""The boxes geometry: losses of two boxes, row by row.

Sixty-four boxes at a time are turned into planes (low, high and size of each side), so that the scalar mathematics of
``losslib/boxes/boxes.h`` runs over neighbouring numbers, and their derivatives are turned back. A box is computed by
one thread and sums are added task by task, so the number of threads changes no bit. This module is compiled once for
each instruction set; ``losslib.geometries.boxes`` prepares the arrays and calls ``run``.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange
from libc.stdlib cimport free, malloc

from blocks cimport real, sum_block
from boxes.planes cimport BlockDouble, BlockFloat, Job, Kernel, run_tasks, SMALL, TASK
from gate cimport ThreadGate
from plain cimport is_plain, new_like, overlaps_any, same_shape
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef extern from "losslib/boxes/boxes.h" namespace "losslib" nogil:
    cppclass LinearIoU "losslib::LinearIoU<losslib::PlainPower>":
        pass
    cppclass PowerIoU "losslib::LinearIoU<losslib::AnyPower>":
        pass
    cppclass SquareIoU:
        pass
    cppclass LogIoU:
        pass
    cppclass GeneralizedIoU "losslib::GeneralizedIoU<losslib::PlainPower>":
        pass
    cppclass PowerGeneralizedIoU "losslib::GeneralizedIoU<losslib::AnyPower>":
        pass
    cppclass DistanceIoU "losslib::DistanceIoU<losslib::PlainPower>":
        pass
    cppclass PowerDistanceIoU "losslib::DistanceIoU<losslib::AnyPower>":
        pass
    cppclass CompleteIoU "losslib::CompleteIoU<losslib::PlainPower>":
        pass
    cppclass PowerCompleteIoU "losslib::CompleteIoU<losslib::AnyPower>":
        pass
    cppclass EfficientIoU:
        pass
    cppclass NormalizedWasserstein:
        pass
    void value_block[L, T](const L* kind, const double* numbers, const T* input, const T* target, const T* scale,
                           T* value, T* grad, T* target_grad, int count)
    void input_block[L, T](const L* kind, const double* numbers, const T* input, const T* target, const T* scale,
                           T* value, T* grad, T* target_grad, int count)
    void both_block[L, T](const L* kind, const double* numbers, const T* input, const T* target, const T* scale,
                          T* value, T* grad, T* target_grad, int count)

ctypedef fused Loss:
    LinearIoU
    PowerIoU
    SquareIoU
    LogIoU
    GeneralizedIoU
    PowerGeneralizedIoU
    DistanceIoU
    PowerDistanceIoU
    CompleteIoU
    PowerCompleteIoU
    EfficientIoU
    NormalizedWasserstein

cdef enum Mode:
    VALUE = 0
    GRAD = 1
    VALUE_AND_GRAD = 2
    VALUE_GRAD_AND_HESS = 3

FORMATS = ("xyxy", "xywh", "cxcywh")

# ---- kernels through one signature -------------------------------------------------------------------------------

cdef void value_planes(const Loss* kind, const double* numbers, const real* input, const real* target,
                       const real* scale, real* value, real* grad, real* target_grad, int count) noexcept nogil:
    value_block(kind, numbers, input, target, scale, value, grad, target_grad, count)


cdef void input_planes(const Loss* kind, const double* numbers, const real* input, const real* target,
                       const real* scale, real* value, real* grad, real* target_grad, int count) noexcept nogil:
    input_block(kind, numbers, input, target, scale, value, grad, target_grad, count)


cdef void both_planes(const Loss* kind, const double* numbers, const real* input, const real* target,
                      const real* scale, real* value, real* grad, real* target_grad, int count) noexcept nogil:
    both_block(kind, numbers, input, target, scale, value, grad, target_grad, count)


cdef Kernel[16] _kernels
cdef dict _index = {}


cdef void register(const Loss* kind, str name, double cost) except *:
    cdef Kernel* entry = &_kernels[len(_index)]
    entry.float32[0] = <BlockFloat>value_planes[Loss, float]
    entry.float32[1] = <BlockFloat>input_planes[Loss, float]
    entry.float32[2] = <BlockFloat>both_planes[Loss, float]
    entry.float64[0] = <BlockDouble>value_planes[Loss, double]
    entry.float64[1] = <BlockDouble>input_planes[Loss, double]
    entry.float64[2] = <BlockDouble>both_planes[Loss, double]
    entry.cost = cost
    _index[name] = len(_index)


register[LinearIoU](NULL, "LinearIoU", 3.0)
register[PowerIoU](NULL, "PowerIoU", 8.0)
register[SquareIoU](NULL, "SquareIoU", 3.0)
register[LogIoU](NULL, "LogIoU", 5.0)
register[GeneralizedIoU](NULL, "GeneralizedIoU", 4.0)
register[PowerGeneralizedIoU](NULL, "PowerGeneralizedIoU", 12.0)
register[DistanceIoU](NULL, "DistanceIoU", 4.0)
register[PowerDistanceIoU](NULL, "PowerDistanceIoU", 12.0)
register[CompleteIoU](NULL, "CompleteIoU", 7.0)
register[PowerCompleteIoU](NULL, "PowerCompleteIoU", 20.0)
register[EfficientIoU](NULL, "EfficientIoU", 8.0)
register[NormalizedWasserstein](NULL, "NormalizedWasserstein", 5.0)


# ---- the driver: any kernel --------------------------------------------------------------------------------------

cdef int execute(Job* job, double isa_factor, double* total) noexcept:
    """Run the job; its size decides about threads and GIL. Return the violations, -1 without memory for the sums."""
    cdef Py_ssize_t i, task, tasks = (job.rows + TASK - 1) // TASK
    cdef FloatMode mode = get_float_mode()
    cdef int width = 1, bad = 0
    cdef double one_sum = 0.0
    cdef int one_violation = 0
    total[0] = 0.0
    if job.rows <= SMALL:
        job.sums = &one_sum
        job.violations = &one_violation
        run_tasks(job, 0, 1)
        job.sums = NULL         # nothing of this call's stays in the job
        job.violations = NULL
        total[0] = one_sum
        return one_violation
    job.sums = <double*>malloc(tasks * sizeof(double))
    job.violations = <int*>malloc(tasks * sizeof(int))
    if job.sums == NULL or job.violations == NULL:
        free(job.sums)
        free(job.violations)
        return -1
    with nogil:
        if tasks > 1:
            width = _gate.begin(job.kernel.cost * isa_factor * <double>job.rows * (2.0 if job.wide else 1.0))
        if width == 1:
            run_tasks(job, 0, tasks)
        else:
            for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                run_tasks(job, first_task(i, tasks, width), first_task(i + 1, tasks, width))
            _gate.end()
    for task in range(tasks):
        bad |= job.violations[task]
    total[0] = sum_block(<const double*>job.sums, tasks)
    free(job.sums)
    free(job.violations)
    return bad


cdef void set_rows(Job* job, object input, object target, object grad, object target_grad) noexcept:
    """Place the arrays, each of shape (rows, 4) with contiguous columns; gradients may be None."""
    job.rows = cnp.PyArray_SIZE(<cnp.ndarray>input) // 4
    job.wide = cnp.PyArray_TYPE(<cnp.ndarray>input) == cnp.NPY_DOUBLE
    job.input = <const char*>cnp.PyArray_DATA(<cnp.ndarray>input)
    job.target = <const char*>cnp.PyArray_DATA(<cnp.ndarray>target)
    job.grad = job.target_grad = NULL
    job.input_stride = job.target_stride = 4 * cnp.PyArray_ITEMSIZE(<cnp.ndarray>input)
    job.grad_stride = job.target_grad_stride = job.input_stride
    if grad is not None:
        job.grad = <char*>cnp.PyArray_DATA(<cnp.ndarray>grad)
    if target_grad is not None:
        job.target_grad = <char*>cnp.PyArray_DATA(<cnp.ndarray>target_grad)


def run(str name, tuple numbers, str box_format, cnp.ndarray input, cnp.ndarray target, grad, target_grad,
        cnp.ndarray values, *, scale=1.0, mask=None, double isa_factor=1.0):
    """Compute the values, and the derivatives times `scale`, of boxes that ``losslib.geometries.boxes`` has laid out.

    Parameters
    ----------
    name, numbers
        The kernel and its parameters.
    input, target
        Arrays of shape (rows, 4), both float32 or both float64, with contiguous columns.
    grad, target_grad
        Arrays of the same shape and type, or None. They may be the inputs themselves.
    values
        Float64, one number a row.
    scale
        A number, or a float64 array with one number a row.
    mask
        Bool, one a row, or None.

    Returns
    -------
    int
        1 if a box of the input that counts has a side of negative length, plus 2 for the target.
    """
    cdef Job job
    cdef double total
    cdef int violations, k
    set_rows(&job, input, target, grad, target_grad)
    job.kernel = &_kernels[<int>_index[name]]
    job.format = FORMATS.index(box_format)
    for k in range(len(numbers)):
        job.numbers[k] = numbers[k]
    job.input_stride = cnp.PyArray_STRIDES(input)[0]
    job.target_stride = cnp.PyArray_STRIDES(target)[0]
    if grad is not None:
        job.grad_stride = cnp.PyArray_STRIDES(<cnp.ndarray>grad)[0]
    if target_grad is not None:
        job.target_grad_stride = cnp.PyArray_STRIDES(<cnp.ndarray>target_grad)[0]
    job.values = <double*>cnp.PyArray_DATA(values)
    job.mask = NULL
    if mask is not None:
        job.mask = <const unsigned char*>cnp.PyArray_DATA(<cnp.ndarray>mask)
    job.scale = NULL
    job.factor = 1.0
    if cnp.PyArray_Check(scale):
        job.scale = <const double*>cnp.PyArray_DATA(<cnp.ndarray>scale)
    else:
        job.factor = scale
    violations = execute(&job, isa_factor, &total)
    if violations < 0:
        raise MemoryError(f"no memory for the sums of {job.rows} boxes")
    return violations


# ---- plain calls -------------------------------------------------------------------------------------------------

cdef class PlainBoxes:
    """Answers the calls of one loss object on plain arrays without options.

    It returns NotImplemented for every other call, and for boxes with sides of negative length, which
    ``losslib.geometries.boxes`` then complains about: the gradient it wrote is of its own making in that case.
    """

    cdef const Kernel* kernel
    cdef double[2] numbers
    cdef double isa_factor
    cdef int format
    cdef bint mean, check

    def __cinit__(self, str kernel, tuple numbers, str box_format, bint mean, bint check, double isa_factor):
        cdef int k
        self.kernel = &_kernels[<int>_index[kernel]]
        for k in range(len(numbers)):
            self.numbers[k] = numbers[k]
        self.format = FORMATS.index(box_format)
        self.mean = mean
        self.check = check
        self.isa_factor = isa_factor

    def __call__(self, int mode, tuple args, out):
        cdef Job job
        cdef object input = args[0], target = args[1], grad = None
        cdef double total
        cdef int type_number, violations
        if mode == VALUE_GRAD_AND_HESS or not cnp.PyArray_CheckExact(input):
            return NotImplemented
        type_number = cnp.PyArray_TYPE(<cnp.ndarray>input)
        if type_number != cnp.NPY_FLOAT and type_number != cnp.NPY_DOUBLE:
            return NotImplemented
        if not is_plain(input, type_number) or not is_plain(target, type_number) or not same_shape(input, target):
            return NotImplemented
        if cnp.PyArray_NDIM(<cnp.ndarray>input) == 0 or cnp.PyArray_SIZE(<cnp.ndarray>input) == 0:
            return NotImplemented
        if cnp.PyArray_DIM(<cnp.ndarray>input, cnp.PyArray_NDIM(<cnp.ndarray>input) - 1) != 4:
            return NotImplemented
        if mode == VALUE:
            if out is not None:
                return NotImplemented
        elif out is None:
            grad = new_like(input, type_number)
        else:
            if not is_plain(out, type_number) or not same_shape(input, out) or overlaps_any(out, args):
                return NotImplemented
            if not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out):
                return NotImplemented
            grad = out
        set_rows(&job, input, target, grad, None)
        job.kernel = self.kernel
        job.numbers = self.numbers
        job.format = self.format
        job.scale = NULL
        job.factor = 1.0 / <double>job.rows if self.mean else 1.0
        job.mask = NULL
        job.values = NULL
        violations = execute(&job, self.isa_factor, &total)
        if violations < 0 or (violations > 0 and self.check):
            return NotImplemented
        if self.mean:
            total = total / <double>job.rows
        if mode == VALUE:
            return total
        return grad if mode == GRAD else (total, grad)


def kernels():
    """Return the names of the kernels."""
    return tuple(_index)
