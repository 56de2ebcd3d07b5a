# cython: binding=False
# (methods as plain descriptors: a bound Cython function costs 250 ns more at every call under the limited API)
"""The objects that users hold: ``Loss`` (parameters bound) and ``LossCallable`` (parameters given at the call).

A call on plain contiguous arrays of a pointwise loss is answered in compiled code alone (``plain_call.pxd``), by a job
that the driver of the chosen instruction set runs. Every other call (lists, strides, mixed types, weights, masks,
derivatives of other inputs …) is prepared in Python by ``losslib.call.answer`` and comes back through ``execute``.
Names, signatures and docstrings are attached from the declarations by ``losslib.declare``.
"""

cimport cython
cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer

from blocks cimport sum_values
from job cimport (
    ALL, GRAD_ONLY, MAX_FACTORS, MAX_INPUTS, VALUE_GRAD, VALUE_GRAD_HESS, VALUE_ONLY, Geometry, Job, KernelSet, Operand,
)
from loss.kernel cimport copy_numbers, set_of, set_of_program, use_program
from loss.layout cimport lay_out
from loss.modes cimport GRAD, MEAN, NONE, SUM, VALUE, VALUE_AND_GRAD, VALUE_GRAD_AND_HESS, Mode
from loss.plain_call cimport PlainCall, answer
from loss.run cimport Environment, run

from losslib import _kernels

cnp._import_array()

cdef Environment _here
_here.pointwise = <Geometry*>PyCapsule_GetPointer(_kernels.pointwise.geometry, b"losslib.geometry")
_here.isa_factor = 3.0 if _kernels.ISA == "baseline" else 1.0

cdef enum:
    MAX_OPERANDS = MAX_INPUTS + MAX_FACTORS + 6 + 2      # derivatives; mask and value

cdef dict _reductions = {"mean": MEAN, "sum": SUM, "none": NONE}

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


cdef const KernelSet* kernel_set(object kernel) except NULL:
    """Return a set of kernels by its name, or that of the program of a formula."""
    if isinstance(kernel, str):
        return set_of(_kernels.kernel(kernel))
    return set_of_program(kernel)


# ---- parameters bound --------------------------------------------------------------------------------------------

cdef class Loss:
    """A loss with its parameters bound: call it for the value, or ask for derivatives.

    Objects are immutable, hashable, picklable, comparable and safe to share between threads. The classes of
    the single losses (``losslib.HuberLoss`` …) derive from this one; ``a * loss`` and ``loss1 + loss2`` give
    weighted sums on the same inputs.
    """

    cdef readonly object _values        # dict: parameters, weight, reduction, check
    cdef object _key                    # what equality and hash compare
    cdef PlainCall plain                # of a pointwise loss, for calls on plain arrays
    cdef bint is_plain                  # whether it answers them
    cdef object program                 # of a formula: it owns the kernels and is their parameters; else None
    cdef object row_call                # what answers them for another geometry: a callable, or None
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
            self.prepare(info, kernel, numbers, domains)

    cdef int prepare(self, info, kernel, tuple numbers, tuple domains) except -1:
        """Get ready for calls on plain arrays: the kernel, its parameters, the domains that the inputs are held to."""
        cdef int k
        self.program = None if isinstance(kernel, str) else kernel
        self.plain.kernels = kernel_set(kernel)
        copy_numbers(self.plain.numbers, numbers)
        self.plain.parameters = self.plain.numbers
        self.plain.inputs = len(domains)
        for k in range(self.plain.inputs):
            self.plain.domain[k] = domains[k]
        self.plain.domains = any(domains)
        self.plain.reduction = _reductions[self._values["reduction"]]
        self.plain.pair = len(info.default_wrt) == 2
        self.plain.averages = info.averages_last_axis
        self.is_plain = True
        return 0

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
    cdef int violations = 0
    if len(args) == loss.inputs and (loss.is_plain or loss.row_call is not None):
        if kwargs:
            out = kwargs.get("out")
        if not kwargs or (len(kwargs) == 1 and out is not None):
            if loss.is_plain:
                result = answer(&loss.plain, &_here, loss.program, mode, args, out, &violations)
                if result is not None:
                    return result
                if violations:
                    _raise_domain_error(loss, args, None, violations)
            else:
                result = loss.row_call(<int>mode, args, out)
                if result is not NotImplemented:
                    return result
    return _evaluate(loss, mode, args, kwargs)


# ---- the general path: arrays prepared by losslib.call.answer ----------------------------------------------------

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
    cdef Operand* operands[MAX_OPERANDS]
    for k in range(len(inputs)):
        operands[k] = &job.input[k]
        job.domain[k] = domains[k]
    for k in range(len(factors)):
        operands[len(inputs) + k] = &job.factor[k]
    for k in range(len(derivatives)):
        operands[len(inputs) + len(factors) + k] = &job.derivative[k]
        job.plane[k] = planes[k]
    if mask is not None:
        operands[len(arrays)] = &job.mask
        arrays.append(mask)
    if value is not None:
        operands[len(arrays)] = &job.value
        arrays.append(value)
    lay_out(&job, arrays, operands)
    copy_numbers(parameters, numbers)
    job.kernels = kernel_set(kernel)
    job.parameters = parameters
    job.double_precision = double_precision
    job.inputs = len(inputs)
    job.check_only = check_only
    job.factors = len(factors)
    job.value_factors = value_factors
    job.derivatives = len(derivatives)
    job.masked = mask is not None
    job.store_value = value is not None
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
    violations = run(&_here, &job, &total)
    return total, violations


def total(cnp.ndarray values):
    """Add contiguous float64 values in the order that plain calls use, so that every path gives the same bits."""
    return sum_values(<const double*>cnp.PyArray_DATA(values), cnp.PyArray_SIZE(values))


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
