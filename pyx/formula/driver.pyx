"""Formulas of users: a tape of operations, interpreted over rows of at most a block of numbers.

A row of numbers is a register; all registers together stay in the first cache, so that an operation costs little more
than its arithmetic. The interpreter is one more kernel of the pointwise geometry, whose parameters are the tape:
weights, masks, types, strides, threads and sums are those of every other loss.
"""

cimport cython
from cpython.pycapsule cimport PyCapsule_New
from libc.stdlib cimport calloc, free

from formula.operations cimport Doubles, Floats
from job cimport (
    ALL, BLOCK, GRAD_ONLY, KERNELS, LANES, PLANES, VALUE_GRAD, VALUE_GRAD_HESS, VALUE_ONLY, VALUE_PAIR,
    KernelDouble, KernelFloat, KernelSet,
)
from program cimport FIRST_CONSTANT, FIRST_INPUT, NEGATED_SCALE, PLACES, SCALE, Formula, Step, Tape

ctypedef fused real:
    float
    double


include "table.pxi"


# ---- the interpreter -----------------------------------------------------------------------------------------------

cdef enum:
    CACHE = 32768        # bytes of all registers together: the first cache of every processor
    ALIGNMENT = 64       # a row begins where a vector does


cdef inline void run_rows(const Tape* tape, real** place, Py_ssize_t n) noexcept nogil:
    cdef const Step* step = tape.steps
    cdef int _
    for _ in range(tape.count):
        if real is float:
            _float32[step.code](NULL, place[step.operand[0]], place[step.operand[1]], place[step.operand[2]],
                                place[step.operand[3]], place[step.operand[4]], place[step.operand[5]], n)
        else:
            _float64[step.code](NULL, place[step.operand[0]], place[step.operand[1]], place[step.operand[2]],
                                place[step.operand[3]], place[step.operand[4]], place[step.operand[5]], n)
        step += 1


cdef void interpret(const Tape* tape, const real** inputs, real** outputs, real scale, Py_ssize_t n) noexcept nogil:
    """Run the tape over n numbers, as many at a time as the registers leave room for."""
    cdef char[CACHE + ALIGNMENT] memory
    cdef real* place[PLACES]
    cdef real factor = scale, negated = -scale
    cdef char* first = memory
    cdef Py_ssize_t row = BLOCK, start = 0, rows
    cdef int k
    first += (ALIGNMENT - (<size_t>first) % ALIGNMENT) % ALIGNMENT
    if tape.registers > 0:
        row = min(row, <Py_ssize_t>(CACHE // <int>sizeof(real) // tape.registers))
        row -= row % LANES
    place[SCALE] = &factor
    place[NEGATED_SCALE] = &negated
    for k in range(tape.constants):
        if real is float:
            place[FIRST_CONSTANT + k] = tape.float32 + k
        else:
            place[FIRST_CONSTANT + k] = tape.float64 + k
    for k in range(tape.registers):
        place[FIRST_CONSTANT + tape.constants + k] = <real*>first + k * row
    while start < n:
        rows = min(row, n - start)
        for k in range(FIRST_INPUT):
            place[k] = outputs[k] + start if outputs[k] != NULL else NULL
        for k in range(3):
            place[FIRST_INPUT + k] = <real*>inputs[k] + start
        run_rows(tape, place, rows)
        start += rows


cdef inline void run_kernel(const void* parameters, int kernel, const real* a, const real* b, const real* c,
                            real* value, real* grad, real* hess, real scale, Py_ssize_t vectors) noexcept nogil:
    cdef const real* inputs[3]
    cdef real* outputs[PLANES]
    cdef int k
    inputs[0] = a
    inputs[1] = b
    inputs[2] = c
    for k in range(PLANES):
        outputs[k] = value + k * BLOCK if kernel == ALL else NULL
    outputs[0] = value
    if kernel != ALL:
        outputs[1] = grad
        outputs[2] = hess
    interpret((<const Formula*>parameters).tape[kernel], inputs, outputs, scale, vectors * LANES)


cdef void value_only(const void* parameters, const real* a, const real* b, const real* c, real* value, real* grad,
                     real* hess, real scale, Py_ssize_t vectors) noexcept nogil:
    run_kernel(parameters, VALUE_ONLY, a, b, c, value, NULL, NULL, scale, vectors)


cdef void grad_only(const void* parameters, const real* a, const real* b, const real* c, real* value, real* grad,
                    real* hess, real scale, Py_ssize_t vectors) noexcept nogil:
    run_kernel(parameters, GRAD_ONLY, a, b, c, NULL, grad, NULL, scale, vectors)


cdef void value_grad(const void* parameters, const real* a, const real* b, const real* c, real* value, real* grad,
                     real* hess, real scale, Py_ssize_t vectors) noexcept nogil:
    run_kernel(parameters, VALUE_GRAD, a, b, c, value, grad, NULL, scale, vectors)


cdef void value_grad_hess(const void* parameters, const real* a, const real* b, const real* c, real* value,
                          real* grad, real* hess, real scale, Py_ssize_t vectors) noexcept nogil:
    run_kernel(parameters, VALUE_GRAD_HESS, a, b, c, value, grad, hess, scale, vectors)


cdef void all_planes(const void* parameters, const real* a, const real* b, const real* c, real* value, real* grad,
                     real* hess, real scale, Py_ssize_t vectors) noexcept nogil:
    run_kernel(parameters, ALL, a, b, c, value, NULL, NULL, scale, vectors)


# ---- what Python holds ---------------------------------------------------------------------------------------------

cdef Tape* copied(object tape) except NULL:
    """Return a tape of losslib.formula.tape as the interpreter reads it."""
    cdef Tape* made = <Tape*>calloc(1, sizeof(Tape))
    cdef int k, j
    if made == NULL:
        raise MemoryError("no memory for the tape of a formula")
    made.count = len(tape.steps)
    made.constants = len(tape.constants)
    made.registers = tape.registers
    made.steps = <Step*>calloc(made.count + 1, sizeof(Step))
    made.float64 = <double*>calloc(made.constants + 1, sizeof(double))
    made.float32 = <float*>calloc(made.constants + 1, sizeof(float))
    if made.steps == NULL or made.float64 == NULL or made.float32 == NULL:
        discard(made)
        raise MemoryError("no memory for the tape of a formula")
    for k, number in enumerate(tape.constants):
        made.float64[k] = number
        made.float32[k] = <float>made.float64[k]
    try:
        if FIRST_CONSTANT + made.constants + made.registers > PLACES:
            raise SystemError("the tape of a formula has too many places")
        for k, (name, written, read) in enumerate(tape.steps):
            made.steps[k].code = _codes[name]
            for j, place in enumerate((*written, *read)):
                made.steps[k].operand[j] = place
    except BaseException:
        discard(made)
        raise
    return made


cdef void discard(Tape* tape) noexcept:
    if tape != NULL:
        free(tape.steps)
        free(tape.float64)
        free(tape.float32)
        free(tape)


cdef class Program:
    """The kernels of one formula with its parameters; ``loss.pyx`` reaches them through the capsule ``formula``.

    Parameters
    ----------
    inputs : int
        How many inputs the formula has.
    cost : float
        Estimated nanoseconds for an element of value and gradient, in float32 on one thread.
    make_tape : callable
        Returns the tape of a kernel (``VALUE_ONLY`` … ``ALL``), each when it is first needed.
    """

    cdef Formula formula_
    cdef object make_tape
    cdef readonly object formula

    def __cinit__(self, int inputs, double cost, make_tape):
        cdef KernelSet* set = &self.formula_.set
        self.make_tape = make_tape
        set.name = b"formula"
        set.inputs = inputs
        set.cost = cost
        set.float32[VALUE_ONLY] = <KernelFloat>value_only[float]
        set.float32[GRAD_ONLY] = <KernelFloat>grad_only[float]
        set.float32[VALUE_GRAD] = <KernelFloat>value_grad[float]
        set.float32[VALUE_GRAD_HESS] = <KernelFloat>value_grad_hess[float]
        set.float32[VALUE_PAIR] = NULL      # a formula has one prediction
        set.float32[ALL] = <KernelFloat>all_planes[float]
        set.float64[VALUE_ONLY] = <KernelDouble>value_only[double]
        set.float64[GRAD_ONLY] = <KernelDouble>grad_only[double]
        set.float64[VALUE_GRAD] = <KernelDouble>value_grad[double]
        set.float64[VALUE_GRAD_HESS] = <KernelDouble>value_grad_hess[double]
        set.float64[VALUE_PAIR] = NULL
        set.float64[ALL] = <KernelDouble>all_planes[double]
        self.formula = PyCapsule_New(&self.formula_, b"losslib.formula", NULL)

    def __dealloc__(self):
        cdef int k
        for k in range(KERNELS):
            discard(self.formula_.tape[k])

    def prepare(self, int kernel):
        """Make the tape of a kernel, if there is none yet."""
        cdef Tape* made
        if self.formula_.tape[kernel] != NULL:
            return
        made = copied(self.make_tape(kernel))
        with cython.critical_section(self):
            if self.formula_.tape[kernel] == NULL:      # else another thread made it meanwhile
                self.formula_.tape[kernel] = made
                made = NULL
        discard(made)


def operations():
    """Return the names of the operations, with their forms."""
    return tuple(_codes)
