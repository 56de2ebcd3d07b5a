"""The distance geometry: losses of pairs and triplets of rows.

A kernel reads a row once for its sums (norms, scalar products) and, while it is in the first cache, once more for the
gradients, which are combinations of the same rows with coefficients that depend on the sums. What rows are compared by
are structs of ``include/losslib/distance/``; the loops over a row stand in ``sums.pxd`` and ``gradients.pxd``, the
order of steps in ``pairs.pxd`` and ``triplets.pxd``. A row is computed by one thread, so their number changes no bit.
This module is compiled once for each instruction set; ``losslib.geometries.distance`` prepares the arrays and calls
``run``.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from blocks cimport real, sum_values
from distance.call cimport Job, Kernel, RowKernel, clear_gradients
from distance.pairs cimport Contrastive, CosineEmbedding, CosineSimilarity, pair_by_cosine, pair_by_distance
from distance.sums cimport ChebyshevNorm, EuclideanNorm, ManhattanNorm, MinkowskiNorm, SquaredEuclidean
from distance.triplets cimport CosineTriplet, triplet_by_cosine, triplet_by_norm
from gate cimport ThreadGate
from plain cimport is_plain, is_row_shape, new_like, overlaps_any, same_shape
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    TASK = 16384         # elements of an input that a thread takes at a time
    SMALL = 4096         # elements up to which the GIL is kept

cdef enum Mode:
    VALUE = 0
    GRAD = 1
    VALUE_AND_GRAD = 2
    VALUE_GRAD_AND_HESS = 3

ctypedef fused Loss:
    EuclideanNorm
    SquaredEuclidean
    ManhattanNorm
    ChebyshevNorm
    MinkowskiNorm
    CosineTriplet
    CosineEmbedding
    CosineSimilarity
    Contrastive


# ---- the kernels: one row ----------------------------------------------------------------------------------------

cdef void row_of(const Loss* kind, const real* tag, const Job* job, Py_ssize_t row) noexcept nogil:
    cdef Loss loss
    if Loss is CosineTriplet:
        triplet_by_cosine(loss, job, row, tag)
    elif Loss is CosineEmbedding or Loss is CosineSimilarity:
        pair_by_cosine(loss, job, row, tag)
    elif Loss is Contrastive:
        pair_by_distance(loss, job, row, tag)
    else:
        triplet_by_norm(loss, job, row, tag)


cdef Kernel[9] _kernels
cdef dict _index = {}


cdef void register(const Loss* kind, str name, double cost) except *:
    cdef Kernel* entry = &_kernels[len(_index)]
    entry.float32 = <RowKernel>row_of[Loss, float]
    entry.float64 = <RowKernel>row_of[Loss, double]
    entry.cost = cost
    _index[name] = len(_index)


register[EuclideanNorm](NULL, "TripletEuclidean", 0.4)
register[SquaredEuclidean](NULL, "TripletSquaredEuclidean", 0.4)
register[ManhattanNorm](NULL, "TripletManhattan", 0.5)
register[ChebyshevNorm](NULL, "TripletChebyshev", 0.8)
register[MinkowskiNorm](NULL, "TripletMinkowski", 8.0)
register[CosineTriplet](NULL, "TripletCosine", 0.6)
register[CosineEmbedding](NULL, "CosineEmbedding", 0.3)
register[CosineSimilarity](NULL, "CosineSimilarity", 0.3)
register[Contrastive](NULL, "Contrastive", 0.3)


# ---- the driver: any kernel --------------------------------------------------------------------------------------

cdef void run_rows(const Job* job, const Kernel* kernel, bint wide, Py_ssize_t start,
                   Py_ssize_t stop) noexcept nogil:
    """Rows start to stop. Nothing here depends on which thread runs it or when."""
    cdef RowKernel compute = kernel.float64 if wide else kernel.float32
    cdef size_t item = sizeof(double) if wide else sizeof(float)
    cdef Py_ssize_t row
    for row in range(start, stop):
        if job.mask != NULL and job.mask[row] == 0:
            job.value[row] = 0.0
            clear_gradients(job, row, item)
        else:
            compute(NULL, NULL, job, row)


def run(str name, list inputs, list grads, cnp.ndarray value, *, double margin, double degree=2.0, double eps=0.0,
        bint swap=False, target=None, scale=1.0, mask=None, bint stage=False, double isa_factor=1.0):
    """Compute the values, and the gradients times `scale`, of rows that ``losslib.geometries.distance`` has laid out.

    Parameters
    ----------
    name
        The kernel.
    inputs
        Arrays of shape (rows, columns), all float32 or all float64, with contiguous columns.
    grads
        For each input an array of the same shape and type, or None.
    value
        Float64, one number a row.
    target, mask
        Float64 and bool, one number a row, or None.
    scale
        A number, or a float64 array with one number a row.
    stage
        True if a gradient may lie on an input.
    """
    cdef Job job
    cdef const Kernel* kernel = &_kernels[<int>_index[name]]
    cdef cnp.ndarray first = inputs[0], array
    cdef bint wide = cnp.PyArray_TYPE(first) == cnp.NPY_DOUBLE
    cdef int k
    job.rows = cnp.PyArray_DIMS(first)[0]
    job.columns = cnp.PyArray_DIMS(first)[1]
    job.wanted = False
    for k in range(3):
        job.input[k] = NULL
        job.grad[k] = NULL
        job.input_stride[k] = job.grad_stride[k] = 0
    for k in range(len(inputs)):
        array = inputs[k]
        job.input[k] = <const char*>cnp.PyArray_DATA(array)
        job.input_stride[k] = cnp.PyArray_STRIDES(array)[0]
        if grads[k] is not None:
            array = grads[k]
            job.grad[k] = <char*>cnp.PyArray_DATA(array)
            job.grad_stride[k] = cnp.PyArray_STRIDES(array)[0]
            job.wanted = True
    job.value = <double*>cnp.PyArray_DATA(value)
    job.target = NULL
    if target is not None:
        job.target = <const double*>cnp.PyArray_DATA(<cnp.ndarray>target)
    job.mask = NULL
    if mask is not None:
        job.mask = <const unsigned char*>cnp.PyArray_DATA(<cnp.ndarray>mask)
    job.scale = NULL
    job.factor = 1.0
    if cnp.PyArray_Check(scale):
        job.scale = <const double*>cnp.PyArray_DATA(<cnp.ndarray>scale)
    else:
        job.factor = scale
    job.stage = stage
    job.margin = margin
    job.degree = degree
    job.eps = eps
    job.swap = swap
    execute(&job, kernel, wide, isa_factor)


cdef void execute(Job* job, const Kernel* kernel, bint wide, double isa_factor) noexcept:
    """Run the job; its size decides about threads and GIL."""
    cdef int width = 1
    cdef Py_ssize_t chunk, chunks, elements, i
    cdef double cost
    cdef FloatMode mode = get_float_mode()
    elements = job.rows * job.columns
    if elements <= SMALL:
        run_rows(job, kernel, wide, 0, job.rows)
        return
    chunk = max(<Py_ssize_t>1, TASK // max(<Py_ssize_t>1, job.columns))
    chunks = (job.rows + chunk - 1) // chunk
    cost = kernel.cost * isa_factor * <double>elements * (2.0 if wide else 1.0) * (1.0 if job.wanted else 0.5)
    with nogil:
        if chunks > 1:
            width = _gate.begin(cost)
        if width == 1:
            run_rows(job, kernel, wide, 0, job.rows)
        else:
            for i in prange(count_runs(chunks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                run_rows(job, kernel, wide, chunk * first_task(i, chunks, width),
                         min(chunk * first_task(i + 1, chunks, width), job.rows))
            _gate.end()


# ---- plain calls ---------------------------------------------------------------------------------------------------

cdef class PlainDistance:
    """Answers the calls of one loss object on plain arrays without options.

    It returns NotImplemented for every other call, and for labels outside their domain, which
    ``losslib.geometries.distance`` then answers or complains about.

    Parameters
    ----------
    kernel, numbers
        The kernel, and its margin, degree, eps and swap.
    positions : tuple of int
        The inputs that are differentiated unless a call says otherwise.
    labels : tuple or None
        The two labels that are allowed, () where labels are not checked, or None for a loss without labels.
    mean : bool
        Whether the values are averaged; else they are added up.
    """

    cdef const Kernel* kernel
    cdef double margin, degree, eps, isa_factor
    cdef bint swap, mean, labelled, check
    cdef double[2] labels
    cdef tuple positions

    def __cinit__(self, str kernel, tuple numbers, tuple positions, labels, bint mean, double isa_factor):
        self.kernel = &_kernels[<int>_index[kernel]]
        self.margin, self.degree, self.eps, self.swap = numbers
        self.positions = positions
        self.labelled = labels is not None
        self.check = bool(labels)
        if self.check:
            self.labels[0], self.labels[1] = labels
        self.mean = mean
        self.isa_factor = isa_factor

    def __call__(self, int mode, tuple args, out):
        cdef Job job
        cdef object first = args[0], array
        cdef Py_ssize_t count = len(args) - 1 if self.labelled else len(args)      # vectors
        cdef tuple grads = ()
        cdef double* numbers = NULL
        cdef double total, divisor = 1.0
        cdef Py_ssize_t k
        cdef int type_number, ndim
        if mode == VALUE_GRAD_AND_HESS or not cnp.PyArray_CheckExact(first):
            return NotImplemented
        type_number = cnp.PyArray_TYPE(<cnp.ndarray>first)
        ndim = cnp.PyArray_NDIM(<cnp.ndarray>first)
        if (type_number != cnp.NPY_FLOAT and type_number != cnp.NPY_DOUBLE) or ndim == 0:
            return NotImplemented
        job.columns = cnp.PyArray_DIM(<cnp.ndarray>first, ndim - 1)
        if cnp.PyArray_SIZE(<cnp.ndarray>first) == 0:
            return NotImplemented
        job.rows = cnp.PyArray_SIZE(<cnp.ndarray>first) // job.columns
        for k in range(3):
            job.input[k] = NULL
            job.grad[k] = NULL
            job.input_stride[k] = job.grad_stride[k] = job.columns * cnp.PyArray_ITEMSIZE(<cnp.ndarray>first)
        for k in range(count):
            array = args[k]
            if not is_plain(array, type_number) or not same_shape(first, array):
                return NotImplemented
            job.input[k] = <const char*>cnp.PyArray_DATA(<cnp.ndarray>array)
        if mode != VALUE:
            grads = self.outputs(args, out, type_number)
            if grads is None:
                return NotImplemented
            for k in range(len(grads)):
                job.grad[<int>self.positions[k]] = <char*>cnp.PyArray_DATA(<cnp.ndarray>grads[k])
        elif out is not None:
            return NotImplemented

        if self.mean:
            divisor = <double>job.rows
        job.wanted = mode != VALUE
        job.stage = False
        job.mask = NULL
        job.scale = NULL
        job.factor = 1.0 / divisor
        job.margin = self.margin
        job.degree = self.degree
        job.eps = self.eps
        job.swap = self.swap
        numbers = <double*>malloc((2 if self.labelled else 1) * job.rows * sizeof(double))
        if numbers == NULL:
            raise MemoryError(f"no memory for the values of {job.rows} rows")
        job.value = numbers
        job.target = numbers + job.rows if self.labelled else NULL
        if self.labelled and not self.read_labels(args[count], first, numbers + job.rows, job.rows):
            free(numbers)
            return NotImplemented
        execute(&job, self.kernel, type_number == cnp.NPY_DOUBLE, self.isa_factor)
        total = sum_values(numbers, job.rows)
        free(numbers)

        array = None
        if mode != VALUE:
            array = grads if len(grads) > 1 else grads[0]
        if mode == GRAD:
            return array
        return total / divisor if mode == VALUE else (total / divisor, array)

    cdef tuple outputs(self, tuple args, object out, int type_number):
        """Return the arrays for the gradients, or None if `out` is for others to judge."""
        cdef object first = args[0], array
        cdef Py_ssize_t k
        if out is None:
            return tuple([new_like(first, type_number) for _ in range(len(self.positions))])
        if len(self.positions) == 1:
            out = (out,)
        if not isinstance(out, tuple) or len(<tuple>out) != len(self.positions):
            return None
        for k in range(len(<tuple>out)):
            array = (<tuple>out)[k]
            if not is_plain(array, type_number) or not same_shape(first, array):
                return None
            if not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>array):
                return None
            if overlaps_any(array, args) or overlaps_any(array, (<tuple>out)[k + 1:]):
                return None
        return <tuple>out

    cdef bint read_labels(self, object array, object first, double* labels, Py_ssize_t rows) noexcept:
        """Copy the labels; return False if they have another form, or one lies outside the domain. NaN does not."""
        cdef int type_number
        cdef const char* data
        cdef Py_ssize_t row
        cdef bint bad = False
        if not cnp.PyArray_CheckExact(array) or not is_row_shape(array, first):
            return False
        type_number = cnp.PyArray_TYPE(<cnp.ndarray>array)
        if not is_plain(array, type_number):
            return False
        data = <const char*>cnp.PyArray_DATA(<cnp.ndarray>array)
        if type_number == cnp.NPY_FLOAT:
            for row in range(rows):
                labels[row] = (<const float*>data)[row]
        elif type_number == cnp.NPY_DOUBLE:
            for row in range(rows):
                labels[row] = (<const double*>data)[row]
        elif type_number == cnp.NPY_INT64:
            for row in range(rows):
                labels[row] = <double>(<const int64_t*>data)[row]
        else:
            return False
        if self.check:
            for row in range(rows):
                bad |= (labels[row] != self.labels[0]) & (labels[row] != self.labels[1]) & (labels[row] == labels[row])
        return not bad


def kernels():
    """Return the names of the kernels."""
    return tuple(_index)
