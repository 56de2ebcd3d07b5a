# cython: binding=False
# (methods as plain descriptors: a bound Cython function costs 250 ns more at every call under the limited API)
"""The objects that users hold: ``Loss`` (parameters bound) and ``LossCallable`` (parameters given at the call).

A call on plain contiguous arrays of a pointwise loss is answered here (``PlainCall``): type, shape and layout are read
through NumPy's C API, a job is laid out on the stack and handed to the driver of the chosen instruction set. Every
other call (lists, strides, mixed types, weights, masks, derivatives of other inputs …) is prepared in Python by
``losslib.call.answer`` and comes back through ``execute``. Names, signatures and docstrings are attached from the
declarations by ``losslib.declare``.
"""

cimport cython
cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdlib cimport free, malloc
from job cimport (
    ALL, BFLOAT16, BOOL, FLOAT16, FLOAT32, FLOAT64, GRAD_ONLY, TASK, VALUE_GRAD, VALUE_GRAD_HESS, VALUE_ONLY,
    VALUE_PAIR, Geometry, Job, KernelSet, Operand, Partial,
)
from blocks cimport sum_block
from plain cimport is_plain, new_like, overlap, same_shape
from program cimport Formula

from losslib import _kernels

cnp._import_array()

cdef Geometry* _pointwise = <Geometry*>PyCapsule_GetPointer(_kernels.pointwise.geometry, b"losslib.geometry")

# Costs in the kernel table are those of float32 on v3; the baseline has half of its lanes and no fused multiply-add.
cdef double _isa_factor = 3.0 if _kernels.ISA == "baseline" else 1.0

cdef enum:
    PREFETCHING = 524288  # bytes of an input from which blocks are asked for ahead
    STREAMING = 16777216  # bytes of an output from which it is stored past the caches
    STACK_TASKS = 64     # partial sums that need no allocation: up to a million elements

cdef enum Mode:
    VALUE = 0
    GRAD = 1
    VALUE_AND_GRAD = 2
    VALUE_GRAD_AND_HESS = 3

cdef enum Reduction:    # batchmean and weighted_mean are answered in losslib.call.answer
    MEAN = 0
    SUM = 1
    NONE = 2

cdef dict _reductions = {"mean": MEAN, "sum": SUM, "none": NONE}
cdef int[4] _mode_kernel = [VALUE_ONLY, GRAD_ONLY, VALUE_GRAD, VALUE_GRAD_HESS]

# Filled in by losslib.call.answer when it is imported.
cdef object _bind = None
cdef object _evaluate = None
cdef object _raise_domain_error = None
cdef object _resolve_call = None
cdef object _require_arguments = None


def connect(bind, evaluate, raise_domain_error, resolve_call, require_arguments):
    """Give the compiled entry points the Python functions that they hand unusual calls to."""
    global _bind, _evaluate, _raise_domain_error, _resolve_call, _require_arguments
    _bind = bind
    _evaluate = evaluate
    _raise_domain_error = raise_domain_error
    _resolve_call = resolve_call
    _require_arguments = require_arguments


# ---- kernels and their parameters --------------------------------------------------------------------------------

cdef enum:
    MAX_NUMBERS = 8      # parameters of a kernel


cdef const KernelSet* kernel_set(object kernel) except NULL:
    """Return a set of kernels by its name, or that of the program of a formula."""
    if isinstance(kernel, str):
        return <const KernelSet*>PyCapsule_GetPointer(_kernels.kernel(kernel), b"losslib.kernel_set")
    return &(<Formula*>PyCapsule_GetPointer(kernel.formula, b"losslib.formula")).set


cdef inline int use_program(object program, Job* job) except -1:
    """Make a formula's program the parameters of a job, with the tape for what the job asks.

    The driver reads two inputs: those of a formula of one are the same.
    """
    cdef Formula* formula = <Formula*>job.kernels     # the set of kernels is its first member
    if formula.tape[job.kernel] == NULL:
        program.prepare(job.kernel)
    job.parameters = formula
    if job.inputs == 1:
        job.input[1] = job.input[0]
        job.domain[1] = 0
    return 0


cdef int copy_numbers(double* target, tuple numbers) except -1:
    cdef Py_ssize_t k
    if len(numbers) > MAX_NUMBERS:
        raise SystemError(f"a kernel has at most {MAX_NUMBERS} parameters")
    for k in range(len(numbers)):
        target[k] = numbers[k]
    return 0


# ---- running a job ---------------------------------------------------------------------------------------------

cdef double sum_pairwise(const Partial* partials, Py_ssize_t n) noexcept nogil:
    """Add the sums of the tasks in a tree over their order, which no schedule changes."""
    cdef Py_ssize_t half
    if n == 1:
        return partials[0].sum
    if n == 0:
        return 0.0
    half = n // 2
    return sum_pairwise(partials, half) + sum_pairwise(partials + half, n - half)


cdef int run(Job* job, double* total) except -1:
    """Run the job and add up its tasks; return the bits of the inputs that left their domain."""
    cdef Py_ssize_t tasks = (job.size + TASK - 1) // TASK, i
    cdef Partial[STACK_TASKS] few
    cdef Partial* partials = few
    cdef int violations = 0
    if tasks > STACK_TASKS:
        partials = <Partial*>malloc(tasks * sizeof(Partial))
        if partials == NULL:
            raise MemoryError(f"no memory for the partial sums of {job.size} elements")
    job.partials = partials
    job.cost = job.kernels.cost * _isa_factor * job.size * (2.0 if job.double_precision else 1.0)
    job.prefetching = job.size * (8 if job.double_precision else 4) >= PREFETCHING
    job.streaming = job.size * (8 if job.double_precision else 4) >= STREAMING
    _pointwise.run(job)
    total[0] = sum_pairwise(partials, tasks)
    for i in range(tasks):
        violations |= partials[i].violations
    if partials != few:
        free(partials)
    return violations


# ---- plain calls: exact ndarrays of one float type, C-contiguous, one shape ---------------------------------------

cdef inline void describe(Operand* operand, object array, int type) noexcept:
    operand.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    operand.type = type
    operand.contiguous = True


@cython.final
cdef class PlainCall:
    """Answers the calls of one pointwise loss on plain arrays without options.

    Parameters
    ----------
    info : LossInfo
        The declaration.
    kernel : str or Program
        The name of the kernels, or the program of a formula.
    numbers : tuple of float
        Their parameters.
    domains : tuple of int
        The codes of the domains that the inputs are held to.
    reduction : str
        One that is answered here.
    """

    cdef const KernelSet* kernels
    cdef const void* parameters
    cdef double[8] numbers              # what `parameters` points to
    cdef object program                 # of a formula: it owns the kernels and is their parameters; else None
    cdef int[3] domain
    cdef bint domains                   # some input has a domain that is checked
    cdef int inputs
    cdef int reduction
    cdef bint pair                      # two predictions: gradients come as a tuple of two
    cdef bint averages                  # the last axis is averaged before the reduction

    def __cinit__(self, info, kernel, tuple numbers, tuple domains, str reduction):
        cdef int k
        self.kernels = kernel_set(kernel)
        self.program = None if isinstance(kernel, str) else kernel
        copy_numbers(self.numbers, numbers)
        self.parameters = self.numbers
        self.inputs = len(domains)
        for k in range(self.inputs):
            self.domain[k] = domains[k]
        self.domains = any(domains)
        self.reduction = _reductions[reduction]
        self.pair = len(info.default_wrt) == 2
        self.averages = info.averages_last_axis

    cdef object answer(self, object loss, Mode mode, tuple args, object out):
        """Answer a call, or return NotImplemented for ``losslib.call.answer`` to answer or to complain."""
        cdef Job job
        cdef object first = args[0], value = None, grad = None, second = None
        cdef bint two = mode == VALUE_GRAD_AND_HESS or (self.pair and mode != VALUE)    # arrays of derivatives
        cdef double total = 0.0, divisor
        cdef int type_number = self.read(&job, first, args), type, violations
        if type_number < 0 or (self.pair and mode == VALUE_GRAD_AND_HESS):
            return NotImplemented
        if self.averages and (self.reduction == NONE or cnp.PyArray_NDIM(<cnp.ndarray>first) == 0 or job.size == 0):
            return NotImplemented

        if out is not None:
            if two:
                if not (isinstance(out, tuple) and len(<tuple>out) == 2):
                    return NotImplemented
                grad, second = <tuple>out
                if not self.may_write(&job, grad, first) or not self.may_write(&job, second, first):
                    return NotImplemented
                if overlap(grad, second):
                    return NotImplemented
            elif (mode == VALUE and self.reduction != NONE) or not self.may_write(&job, out, first):
                return NotImplemented
            elif mode == VALUE:
                value = out
            else:
                grad = out
        type = job.input[0].type
        job.reduce = mode != GRAD and self.reduction != NONE
        job.store_value = mode != GRAD and self.reduction == NONE
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
        job.kernel = VALUE_PAIR if self.pair and mode != VALUE else _mode_kernel[<int>mode]
        divisor = self.divisor(first, job.size)
        job.scale = 1.0 / divisor
        if self.program is not None:
            use_program(self.program, &job)
        violations = run(&job, &total)
        if violations:
            _raise_domain_error(loss, args, None, violations)

        if self.pair and mode != VALUE:
            grad = (grad, second)
        if mode == GRAD:
            return grad
        if job.reduce:
            value = total / divisor
        if mode == VALUE:
            return value
        return (value, grad) if mode == VALUE_AND_GRAD else (value, grad, second)

    cdef inline int read(self, Job* job, object first, tuple args) noexcept:
        """Lay out a job over the inputs and return their type, or -1 if they are not plain."""
        cdef object array
        cdef int type_number, type, k
        if not cnp.PyArray_CheckExact(first):
            return -1
        type_number = cnp.PyArray_TYPE(<cnp.ndarray>first)
        if type_number != cnp.NPY_FLOAT and type_number != cnp.NPY_DOUBLE:
            return -1
        type = FLOAT32 if type_number == cnp.NPY_FLOAT else FLOAT64
        for k in range(self.inputs):
            array = args[k]
            if not is_plain(array, type_number) or not same_shape(first, array):
                return -1
            describe(&job.input[k], array, type)
            job.domain[k] = self.domain[k]
        job.kernels = self.kernels
        job.parameters = self.parameters
        job.inputs = self.inputs
        job.size = cnp.PyArray_SIZE(<cnp.ndarray>first)
        job.axes = 1
        job.double_precision = type == FLOAT64
        job.check_only = False
        job.factors = 0
        job.value_factors = 0
        job.masked = False
        job.stage = False
        return type_number

    cdef inline bint may_write(self, Job* job, object out, object first) noexcept:
        """True if `out` is of the type and shape of the inputs, and if it shares memory with an input, it is that input
        to the byte, and no input has a domain to be checked first. Notes shared memory in the job."""
        cdef Py_ssize_t length = cnp.PyArray_NBYTES(<cnp.ndarray>first), distance
        cdef int k
        if not is_plain(out, cnp.PyArray_TYPE(<cnp.ndarray>first)) or not same_shape(first, out):
            return False
        if not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out):
            return False
        for k in range(self.inputs):
            distance = <char*>cnp.PyArray_DATA(<cnp.ndarray>out) - job.input[k].data
            if -length < distance < length:
                if self.domains or distance != 0:
                    return False
                job.stage = True
        return True

    cdef inline double divisor(self, object first, Py_ssize_t size) noexcept:
        """What the sum of the values is divided by."""
        if self.reduction == MEAN:
            return <double>size
        if self.averages:
            return <double>cnp.PyArray_DIMS(<cnp.ndarray>first)[cnp.PyArray_NDIM(<cnp.ndarray>first) - 1]
        return 1.0


# ---- the objects of the losses -----------------------------------------------------------------------------------

cdef class Loss:
    """A loss with its parameters bound: call it for the value, or ask for derivatives.

    Objects are immutable, hashable, picklable, comparable and safe to share between threads. The classes of
    the single losses (``losslib.HuberLoss`` …) derive from this one; ``a * loss`` and ``loss1 + loss2`` give
    weighted sums on the same inputs.
    """

    cdef readonly object _values        # dict: parameters, weight, reduction, check
    cdef object _key                    # what equality and hash compare
    cdef PlainCall plain_call           # answers calls on plain arrays, or None
    cdef object row_call                # the same of another geometry: a callable, or None
    cdef int inputs
    cdef object __weakref__

    #: The declaration of the loss; None for a combination.
    info = None

    def __cinit__(self, *args, **kwargs):
        info = type(self).info
        self._values = {}
        if info is None:
            if type(self) is Loss:
                raise TypeError("losslib.Loss has no objects of its own; make one of a loss, such as losslib.MSELoss()")
            return
        self._values, self._key, kernel, numbers, domains, plain = _bind(info, args, kwargs)
        self.inputs = len(info.inputs)
        if kernel is None:
            self.row_call = plain
        elif plain and self._values["reduction"] in _reductions:
            self.plain_call = PlainCall(info, kernel, numbers, domains, self._values["reduction"])

    # -- identity

    def __hash__(self):
        return hash(self._key)

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        return self._key == (<Loss>other)._key

    def __reduce__(self):
        return _rebuild, (type(self), dict(self._values))

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    @property
    def parameters(self):
        """The bound parameters by name, ``weight``, ``reduction`` and ``check`` among them (a new dict)."""
        return dict(self._values)

    def replace(self, **changes):
        """Return a copy of the loss with some parameters changed.

        Parameters
        ----------
        **changes
            New values by parameter name, as the class takes them.

        Returns
        -------
        Loss
            A new object of the same class.
        """
        return type(self)(**{**self._values, **changes})

    # -- combination

    def __add__(self, other):
        from losslib.combine.weighted_sum import add
        return add(self, other)

    def __radd__(self, other):
        from losslib.combine.weighted_sum import add
        return add(other, self)

    def __mul__(self, other):
        from losslib.combine.weighted_sum import scale
        return scale(other, self)

    def __rmul__(self, other):
        from losslib.combine.weighted_sum import scale
        return scale(other, self)

    # -- the calls

    def __call__(self, *args, **kwargs):
        """Return the value: a float when it is reduced, an array with ``reduction="none"``.

        Takes the inputs of the loss and ``sample_weight``, ``where`` and ``out``.
        """
        return call(self, VALUE, args, kwargs)

    def grad(self, *args, **kwargs):
        """Return the gradient of the value.

        Takes the inputs of the loss and ``sample_weight``, ``where``, ``out``, ``grad_output`` and ``wrt``.
        """
        return call(self, GRAD, args, kwargs)

    def value_and_grad(self, *args, **kwargs):
        """Return the value and its gradient, computed in one pass.

        Takes the inputs of the loss and ``sample_weight``, ``where``, ``out``, ``grad_output`` and ``wrt``.
        """
        return call(self, VALUE_AND_GRAD, args, kwargs)

    def value_grad_hess(self, *args, **kwargs):
        """Return the value, its gradient and the diagonal of its Hessian, computed in one pass.

        Takes the inputs of the loss and ``sample_weight``, ``where``, ``out`` and ``wrt``.
        """
        return call(self, VALUE_GRAD_AND_HESS, args, kwargs)


def _rebuild(cls, values):
    """Make a loss from its class and parameters; what pickle calls."""
    return cls(**values)


cdef inline object call(Loss loss, Mode mode, tuple args, dict kwargs):
    cdef object out = None
    cdef object result
    if len(args) == loss.inputs and (loss.plain_call is not None or loss.row_call is not None):
        if kwargs:
            out = kwargs.get("out")
        if not kwargs or (len(kwargs) == 1 and out is not None):
            if loss.plain_call is not None:
                result = loss.plain_call.answer(loss, mode, args, out)
            else:
                result = loss.row_call(<int>mode, args, out)
            if result is not NotImplemented:
                return result
    return _evaluate(loss, mode, args, kwargs)


# ---- the general path: arrays prepared by losslib.call.answer ----------------------------------------------------

cdef dict _types = {"float16": FLOAT16, "bfloat16": BFLOAT16, "float32": FLOAT32, "float64": FLOAT64, "bool": BOOL}


cdef list lay_out(Job* job, list arrays):
    """Coalesce the common shape of the arrays into the job's axes.

    Axes of length 1 go; the others are ordered by the strides of the first array, the largest first, so that memory
    is walked in its own order whatever the layout; neighbours merge where every array allows it. Returns the strides
    of each array along the job's axes.
    """
    cdef cnp.ndarray first = arrays[0]
    cdef int ndim = cnp.PyArray_NDIM(first), axis, k, count = len(arrays)
    cdef list order = [axis for axis in range(ndim) if cnp.PyArray_DIMS(first)[axis] != 1]
    order.sort(key=lambda axis: -abs(first.strides[axis]))
    cdef list merged = [], outer = None   # [length, strides of every array]
    for axis in order:
        length = cnp.PyArray_DIMS(first)[axis]
        strides = [(<cnp.ndarray>array).strides[axis] for array in arrays]
        if outer is not None and all(outer[1][k] == strides[k] * length for k in range(count)):
            outer[0] *= length
            outer[1] = strides
        else:
            outer = [length, strides]
            merged.append(outer)
    if not merged:
        merged = [[1, [0] * count]]
    job.axes = len(merged)
    job.size = 1
    for axis in range(job.axes):
        job.shape[axis] = merged[axis][0]
        job.size *= job.shape[axis]
    return [[item[1][k] for item in merged] for k in range(count)]


cdef int place(Operand* operand, object array, list strides, Py_ssize_t size) except -1:
    cdef int axis
    operand.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    operand.type = _types[array.dtype.name]
    for axis in range(len(strides)):
        operand.strides[axis] = strides[axis]
    operand.contiguous = len(strides) == 1 and (
        operand.strides[0] == cnp.PyArray_ITEMSIZE(<cnp.ndarray>array) or size == 1)
    return 0


def execute(kernel, numbers, *, bint double_precision, list inputs, domains=(0, 0, 0), bint check_only=False,
            list factors=None, int value_factors=0, mask=None, value=None, bint reduce=False, bint want_value=True,
            list derivatives=None, tuple planes=(), double scale=1.0, bint stage=False):
    """Run one job over arrays of one shape; the arrays were checked by ``losslib.call.answer``.

    Returns
    -------
    total : float
        The sum of the values when ``reduce`` is true, else 0.
    violations : int
        Bit k is set if input k holds a value outside its domain.
    """
    cdef Job job
    cdef double[8] parameters
    cdef double total = 0.0
    cdef int k, violations
    factors = factors or []
    derivatives = derivatives or []
    cdef list arrays = [*inputs, *factors, *derivatives]
    if mask is not None:
        arrays.append(mask)
    if value is not None:
        arrays.append(value)
    cdef list strides = lay_out(&job, arrays)
    copy_numbers(parameters, numbers)
    job.kernels = kernel_set(kernel)
    job.parameters = parameters
    job.double_precision = double_precision
    job.inputs = len(inputs)
    job.check_only = check_only
    job.factors = len(factors)
    job.value_factors = value_factors
    job.derivatives = len(derivatives)
    for k in range(job.inputs):
        place(&job.input[k], inputs[k], strides[k], job.size)
        job.domain[k] = domains[k]
    for k in range(job.factors):
        place(&job.factor[k], factors[k], strides[job.inputs + k], job.size)
    for k in range(job.derivatives):
        place(&job.derivative[k], derivatives[k], strides[job.inputs + job.factors + k], job.size)
        job.plane[k] = planes[k]
    job.masked = mask is not None
    if job.masked:
        place(&job.mask, mask, strides[job.inputs + job.factors + job.derivatives], job.size)
    job.store_value = value is not None
    if job.store_value:
        place(&job.value, value, strides[len(strides) - 1], job.size)
    job.reduce = reduce
    job.scale = scale
    job.stage = stage
    if planes == ():
        job.kernel = VALUE_ONLY
    elif planes == (1,):
        job.kernel = VALUE_GRAD if want_value else GRAD_ONLY
    elif planes == (1, 2):
        job.kernel = VALUE_GRAD_HESS
    else:
        job.kernel = ALL
    if not isinstance(kernel, str):
        use_program(kernel, &job)
    violations = run(&job, &total)
    return total, violations


def total(cnp.ndarray values):
    """Add contiguous float64 values in the order that plain calls use, so that every path gives the same bits."""
    return sum_block(<const double*>cnp.PyArray_DATA(values), cnp.PyArray_SIZE(values))


# ---- functions: parameters given at the call ---------------------------------------------------------------------

cdef enum:
    CACHED = 128         # bound losses that a function keeps; parameters rarely take more values


cdef class LossCallable:
    """A callable of a loss with the parameters as keywords: the function itself or one of its derivatives.

    ``losslib.declare`` derives the public types from it, which carry name, signature and docstring.
    """

    cdef readonly object info
    cdef readonly object loss_class
    cdef Loss default
    cdef Mode mode
    cdef int inputs
    cdef dict cache
    cdef frozenset call_names
    cdef object __weakref__

    def __cinit__(self, loss_class, int mode=0):
        self.loss_class = loss_class
        self.info = loss_class.info
        self.mode = <Mode>mode
        self.inputs = len(self.info.inputs)
        self.cache = {}

    cdef int prepare(self) except -1:
        """What the first call needs and the import does not: three hundred of these are made there."""
        cdef object default = self.loss_class()
        # What belongs to the call and not to the loss; arrays are not worth binding for one call.
        cdef object names = frozenset((
            "sample_weight", "where", "out", "grad_output", "wrt",
            *self.info.input_names, *self.info.array_parameter_names,
        ))
        with cython.critical_section(self):     # once only: another thread may be reading what is replaced
            if self.default is None:
                self.call_names = names
                self.default = default          # last: who sees it sees the names too
        return 0

    def __call__(self, *args, **kwargs):
        cdef Loss loss
        cdef dict call_arguments, parameters
        if self.default is None:
            self.prepare()
        if len(args) != self.inputs:
            args, kwargs = _resolve_call(self.info, args, kwargs)
        if not kwargs:
            return call(self.default, self.mode, args, kwargs)
        call_arguments = {}
        parameters = {}
        for name, value in kwargs.items():
            if name in self.call_names:
                call_arguments[name] = value
            else:
                parameters[name] = value
        loss = self.default if not parameters else self.bound(parameters)
        return call(loss, self.mode, args, call_arguments)

    cdef Loss bound(self, dict parameters):
        cdef Loss loss
        cdef object key
        if "size_average" in parameters or "reduce" in parameters:
            return self.loss_class(**parameters)     # warns at every call
        key = tuple([(name, type(value), value) for name, value in parameters.items()])
        try:
            found = self.cache.get(key)
        except TypeError:       # unhashable: an array or a list where a number belongs; the class will say so
            _require_arguments(self.info, self.mode, parameters)
            return self.loss_class(**parameters)
        if found is not None:
            return <Loss>found
        _require_arguments(self.info, self.mode, parameters)
        loss = self.loss_class(**parameters)
        if len(self.cache) >= CACHED:
            self.cache.clear()
        self.cache[key] = loss
        return loss
