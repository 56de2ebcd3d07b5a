"""The pointwise geometry: every loss that sees one number (or a pair, or a triple) at a time.

A loss is a struct of ``include/losslib/pointwise/``; joining the fused type ``Loss`` below specialises the block
kernels for it, and ``register`` enters them in the table under the struct's name. The driver at the end of the file
does not know which loss it runs: it calls one function pointer per block. This module is compiled once for each
instruction set; ``loss.pyx`` reaches it through the capsule ``geometry``.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cython.parallel cimport prange
from libc.string cimport memcpy

from blocks cimport (
    clear_masked, is_native, leaves_domain, load, load_mask, multiply, prefetch_block, real, store, stream_fence,
    sum_block,
)
from gate cimport ThreadGate
from job cimport (
    ALL, BLOCK, GRAD_ONLY, LANES, SMALL, TASK, VALUE_GRAD, VALUE_GRAD_HESS, VALUE_ONLY, VALUE_PAIR,
    Geometry, Job, KernelDouble, KernelFloat, KernelSet,
)

from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cdef extern from "losslib/core/evaluate.h" namespace "losslib" nogil:
    cppclass Jet[T]:
        T value
        T grad
        T hess
        T grad2
        T hess2
        T grad3
        T hess3
    Jet[T] evaluate[L, T](const L& loss, T first, T second, T third)
    T partner_grad[L, T](const L& loss, const Jet[T]& jet)

cdef extern from "losslib/pointwise/regression.h" namespace "losslib" nogil:
    cppclass AbsoluteError:
        pass
    cppclass SquaredError:
        pass
    cppclass HalfSquaredError:
        pass
    cppclass BiasError:
        pass
    cppclass Huber:
        pass
    cppclass SmoothL1:
        pass
    cppclass PseudoHuber:
        pass
    cppclass LogCoshError:
        pass
    cppclass Quantile:
        pass
    cppclass Expectile:
        pass
    cppclass EpsilonInsensitive:
        pass
    cppclass SquaredEpsilonInsensitive:
        pass
    cppclass AbsolutePercentageError:
        pass
    cppclass SymmetricAbsolutePercentageError:
        pass
    cppclass SquaredLogarithmicError:
        pass
    cppclass Lq:
        pass
    cppclass Fair:
        pass
    cppclass Wing:
        pass

cdef extern from "losslib/pointwise/robust.h" namespace "losslib" nogil:
    cppclass Charbonnier:
        pass
    cppclass Cauchy:
        pass
    cppclass Welsch:
        pass
    cppclass GemanMcClure:
        pass
    cppclass TukeyBiweight:
        pass
    cppclass Barron:
        pass
    cppclass BarronQuadratic:
        pass

cdef extern from "losslib/pointwise/likelihood.h" namespace "losslib" nogil:
    cppclass PoissonLog:
        pass
    cppclass PoissonLogFull:
        pass
    cppclass PoissonIdentity:
        pass
    cppclass PoissonIdentityFull:
        pass
    cppclass Gaussian:
        pass
    cppclass GammaLog:
        pass
    cppclass GammaIdentity:
        pass
    cppclass TweedieLog:
        pass
    cppclass TweedieIdentity:
        pass
    cppclass HalfSquaredErrorLog:
        pass
    cppclass Laplace:
        pass
    cppclass StudentT:
        pass
    cppclass NegativeBinomialLog:
        pass
    cppclass NegativeBinomialLogFull:
        pass
    cppclass NegativeBinomialIdentity:
        pass
    cppclass NegativeBinomialIdentityFull:
        pass
    cppclass KLDivergence:
        pass
    cppclass KLDivergenceLogTarget:
        pass
    cppclass GeneralizedKL:
        pass

cdef extern from "losslib/pointwise/binary.h" namespace "losslib" nogil:
    cppclass BinaryCrossEntropy:
        pass
    cppclass BinaryCrossEntropyLogits:
        pass
    cppclass BinaryCrossEntropyLogitsPosWeight:
        pass
    cppclass WeightedBinaryCrossEntropy:
        pass
    cppclass BinaryFocal:
        pass
    cppclass BinaryFocalWhole:
        pass
    cppclass SigmoidFocal:
        pass
    cppclass SigmoidFocalWhole:
        pass
    cppclass SoftMargin:
        pass
    cppclass Hinge:
        pass
    cppclass SquaredHinge:
        pass
    cppclass Exponential:
        pass
    cppclass ModifiedHuber:
        pass
    cppclass BinarySparsemax:
        pass
    cppclass AsymmetricLoss:
        pass
    cppclass AsymmetricLossWhole:
        pass
    cppclass HingeEmbedding:
        pass
    cppclass MarginRanking:
        pass

ctypedef fused Loss:
    AbsoluteError
    SquaredError
    HalfSquaredError
    BiasError
    Huber
    SmoothL1
    PseudoHuber
    LogCoshError
    Quantile
    Expectile
    EpsilonInsensitive
    SquaredEpsilonInsensitive
    AbsolutePercentageError
    SymmetricAbsolutePercentageError
    SquaredLogarithmicError
    Lq
    Fair
    Wing
    Charbonnier
    Cauchy
    Welsch
    GemanMcClure
    TukeyBiweight
    Barron
    BarronQuadratic
    PoissonLog
    PoissonLogFull
    PoissonIdentity
    PoissonIdentityFull
    Gaussian
    GammaLog
    GammaIdentity
    TweedieLog
    TweedieIdentity
    HalfSquaredErrorLog
    Laplace
    StudentT
    NegativeBinomialLog
    NegativeBinomialLogFull
    NegativeBinomialIdentity
    NegativeBinomialIdentityFull
    KLDivergence
    KLDivergenceLogTarget
    GeneralizedKL
    BinaryCrossEntropy
    BinaryCrossEntropyLogits
    BinaryCrossEntropyLogitsPosWeight
    WeightedBinaryCrossEntropy
    BinaryFocal
    BinaryFocalWhole
    SigmoidFocal
    SigmoidFocalWhole
    SoftMargin
    Hinge
    SquaredHinge
    Exponential
    ModifiedHuber
    BinarySparsemax
    AsymmetricLoss
    AsymmetricLossWhole
    HingeEmbedding
    MarginRanking


# ---- kernels: one block of one loss ----------------------------------------------------------------------------
# The parameters are copied to a local first: through the pointer they could alias the outputs, and GCC would not
# vectorise. All have one signature; what a kernel does not write may be NULL.

cdef void value_only(const Loss* parameters, const real* a, const real* b, const real* c, real* value, real* grad,
                     real* hess, real scale, Py_ssize_t n) noexcept nogil:
    cdef Loss loss = parameters[0]
    cdef Py_ssize_t i
    for i in range(n):
        value[i] = evaluate(loss, a[i], b[i], c[i]).value


cdef void grad_only(const Loss* parameters, const real* a, const real* b, const real* c, real* value, real* grad,
                    real* hess, real scale, Py_ssize_t n) noexcept nogil:
    cdef Loss loss = parameters[0]
    cdef Py_ssize_t i
    for i in range(n):
        grad[i] = evaluate(loss, a[i], b[i], c[i]).grad * scale


cdef void value_grad(const Loss* parameters, const real* a, const real* b, const real* c, real* value, real* grad,
                     real* hess, real scale, Py_ssize_t n) noexcept nogil:
    cdef Loss loss = parameters[0]
    cdef Jet[real] jet
    cdef Py_ssize_t i
    for i in range(n):
        jet = evaluate(loss, a[i], b[i], c[i])
        value[i] = jet.value
        grad[i] = jet.grad * scale


cdef void value_grad_hess(const Loss* parameters, const real* a, const real* b, const real* c, real* value,
                          real* grad, real* hess, real scale, Py_ssize_t n) noexcept nogil:
    cdef Loss loss = parameters[0]
    cdef Jet[real] jet
    cdef Py_ssize_t i
    for i in range(n):
        jet = evaluate(loss, a[i], b[i], c[i])
        value[i] = jet.value
        grad[i] = jet.grad * scale
        hess[i] = jet.hess * scale


cdef void value_pair(const Loss* parameters, const real* a, const real* b, const real* c, real* value, real* grad,
                     real* partner, real scale, Py_ssize_t n) noexcept nogil:
    cdef Loss loss = parameters[0]
    cdef Jet[real] jet
    cdef Py_ssize_t i
    for i in range(n):
        jet = evaluate(loss, a[i], b[i], c[i])
        value[i] = jet.value
        grad[i] = jet.grad * scale
        partner[i] = partner_grad(loss, jet) * scale


cdef void all_planes(const Loss* parameters, const real* a, const real* b, const real* c, real* value, real* grad,
                     real* hess, real scale, Py_ssize_t n) noexcept nogil:
    """Everything, into the PLANES × BLOCK buffer at `value`: derivatives of the other inputs are the cold path."""
    cdef Loss loss = parameters[0]
    cdef Jet[real] jet
    cdef Py_ssize_t i
    for i in range(n):
        jet = evaluate(loss, a[i], b[i], c[i])
        value[i] = jet.value
        value[BLOCK + i] = jet.grad * scale
        value[2 * BLOCK + i] = jet.hess * scale
        value[3 * BLOCK + i] = jet.grad2 * scale
        value[4 * BLOCK + i] = jet.hess2 * scale
        value[5 * BLOCK + i] = jet.grad3 * scale
        value[6 * BLOCK + i] = jet.hess3 * scale


# ---- the table -------------------------------------------------------------------------------------------------

cdef enum:
    CAPACITY = 96

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef KernelSet[96] _table
cdef Geometry _geometry
_geometry.kernels = _table
_geometry.count = 0


cdef void register(const Loss* tag, const char* name, int inputs, double cost) except *:
    """Enter the kernels of a loss; `cost` in nanoseconds per element decides from which size threads pay."""
    if _geometry.count == CAPACITY:
        raise SystemError("the kernel table is full")
    cdef KernelSet* entry = &_table[_geometry.count]
    entry.name = name
    entry.inputs = inputs
    entry.cost = cost
    entry.float32[VALUE_ONLY] = <KernelFloat>value_only[Loss, float]
    entry.float32[GRAD_ONLY] = <KernelFloat>grad_only[Loss, float]
    entry.float32[VALUE_GRAD] = <KernelFloat>value_grad[Loss, float]
    entry.float32[VALUE_GRAD_HESS] = <KernelFloat>value_grad_hess[Loss, float]
    entry.float32[VALUE_PAIR] = <KernelFloat>value_pair[Loss, float]
    entry.float32[ALL] = <KernelFloat>all_planes[Loss, float]
    entry.float64[VALUE_ONLY] = <KernelDouble>value_only[Loss, double]
    entry.float64[GRAD_ONLY] = <KernelDouble>grad_only[Loss, double]
    entry.float64[VALUE_GRAD] = <KernelDouble>value_grad[Loss, double]
    entry.float64[VALUE_GRAD_HESS] = <KernelDouble>value_grad_hess[Loss, double]
    entry.float64[VALUE_PAIR] = <KernelDouble>value_pair[Loss, double]
    entry.float64[ALL] = <KernelDouble>all_planes[Loss, double]
    _geometry.count += 1


# Costs measured on one core of a Zen 4 with v3, value and gradient, 131072 elements.
register[AbsoluteError](NULL, b"AbsoluteError", 2, 0.3)
register[SquaredError](NULL, b"SquaredError", 2, 0.3)
register[HalfSquaredError](NULL, b"HalfSquaredError", 2, 0.3)
register[BiasError](NULL, b"BiasError", 2, 0.3)
register[Huber](NULL, b"Huber", 2, 0.4)
register[SmoothL1](NULL, b"SmoothL1", 2, 0.3)
register[PseudoHuber](NULL, b"PseudoHuber", 2, 1.0)
register[LogCoshError](NULL, b"LogCoshError", 2, 1.7)
register[Quantile](NULL, b"Quantile", 2, 0.4)
register[Expectile](NULL, b"Expectile", 2, 0.3)
register[EpsilonInsensitive](NULL, b"EpsilonInsensitive", 2, 0.4)
register[SquaredEpsilonInsensitive](NULL, b"SquaredEpsilonInsensitive", 2, 0.4)
register[AbsolutePercentageError](NULL, b"AbsolutePercentageError", 2, 0.4)
register[SymmetricAbsolutePercentageError](NULL, b"SymmetricAbsolutePercentageError", 2, 0.7)
register[SquaredLogarithmicError](NULL, b"SquaredLogarithmicError", 2, 2.3)
register[Lq](NULL, b"Lq", 2, 4.9)
register[Fair](NULL, b"Fair", 2, 1.3)
register[Wing](NULL, b"Wing", 2, 1.5)
register[Charbonnier](NULL, b"Charbonnier", 2, 1.0)
register[Cauchy](NULL, b"Cauchy", 2, 1.5)
register[Welsch](NULL, b"Welsch", 2, 1.4)
register[GemanMcClure](NULL, b"GemanMcClure", 2, 0.5)
register[TukeyBiweight](NULL, b"TukeyBiweight", 2, 0.4)
register[Barron](NULL, b"Barron", 2, 4.6)
register[BarronQuadratic](NULL, b"BarronQuadratic", 2, 0.3)
register[PoissonLog](NULL, b"PoissonLog", 2, 0.9)
register[PoissonLogFull](NULL, b"PoissonLogFull", 2, 2.2)
register[PoissonIdentity](NULL, b"PoissonIdentity", 2, 1.3)
register[PoissonIdentityFull](NULL, b"PoissonIdentityFull", 2, 2.7)
register[Gaussian](NULL, b"Gaussian", 3, 1.0)
register[GammaLog](NULL, b"GammaLog", 2, 0.7)
register[GammaIdentity](NULL, b"GammaIdentity", 2, 1.1)
register[TweedieLog](NULL, b"TweedieLog", 2, 1.6)
register[TweedieIdentity](NULL, b"TweedieIdentity", 2, 3.9)
register[HalfSquaredErrorLog](NULL, b"HalfSquaredErrorLog", 2, 0.8)
register[Laplace](NULL, b"Laplace", 3, 1.5)
register[StudentT](NULL, b"StudentT", 2, 1.6)
register[NegativeBinomialLog](NULL, b"NegativeBinomialLog", 2, 2.9)
register[NegativeBinomialLogFull](NULL, b"NegativeBinomialLogFull", 2, 9.8)
register[NegativeBinomialIdentity](NULL, b"NegativeBinomialIdentity", 2, 2.5)
register[NegativeBinomialIdentityFull](NULL, b"NegativeBinomialIdentityFull", 2, 8.7)
register[KLDivergence](NULL, b"KLDivergence", 2, 0.9)
register[KLDivergenceLogTarget](NULL, b"KLDivergenceLogTarget", 2, 0.9)
register[GeneralizedKL](NULL, b"GeneralizedKL", 2, 1.6)
register[BinaryCrossEntropy](NULL, b"BinaryCrossEntropy", 2, 1.7)
register[BinaryCrossEntropyLogits](NULL, b"BinaryCrossEntropyLogits", 2, 1.3)
register[BinaryCrossEntropyLogitsPosWeight](NULL, b"BinaryCrossEntropyLogitsPosWeight", 3, 1.9)
register[WeightedBinaryCrossEntropy](NULL, b"WeightedBinaryCrossEntropy", 2, 1.7)
register[BinaryFocal](NULL, b"BinaryFocal", 2, 6.3)
register[BinaryFocalWhole](NULL, b"BinaryFocalWhole", 2, 2.6)
register[SigmoidFocal](NULL, b"SigmoidFocal", 2, 6.5)
register[SigmoidFocalWhole](NULL, b"SigmoidFocalWhole", 2, 2.0)
register[SoftMargin](NULL, b"SoftMargin", 2, 1.3)
register[Hinge](NULL, b"Hinge", 2, 0.3)
register[SquaredHinge](NULL, b"SquaredHinge", 2, 0.3)
register[Exponential](NULL, b"Exponential", 2, 0.8)
register[ModifiedHuber](NULL, b"ModifiedHuber", 2, 0.3)
register[BinarySparsemax](NULL, b"BinarySparsemax", 2, 0.5)
register[AsymmetricLoss](NULL, b"AsymmetricLoss", 2, 12.1)
register[AsymmetricLossWhole](NULL, b"AsymmetricLossWhole", 2, 4.4)
register[HingeEmbedding](NULL, b"HingeEmbedding", 2, 0.5)
register[MarginRanking](NULL, b"MarginRanking", 3, 0.4)


# ---- the driver: any loss, any layout --------------------------------------------------------------------------

cdef inline void call_kernel(const Job* job, const real* a, const real* b, const real* c, real* value, real* grad,
                             real* hess, Py_ssize_t n) noexcept nogil:
    if real is float:
        job.kernels.float32[job.kernel](job.parameters, a, b, c, value, grad, hess, <float>job.scale, n)
    else:
        job.kernels.float64[job.kernel](job.parameters, a, b, c, value, grad, hess, job.scale, n)


cdef inline const real* padded(const real* values, real* buffer, Py_ssize_t n, Py_ssize_t width) noexcept nogil:
    """Return the n values with the last one repeated up to `width`; they may stand in the buffer already."""
    cdef Py_ssize_t i
    if values != buffer:
        memcpy(buffer, values, n * sizeof(real))
    for i in range(n, width):
        buffer[i] = buffer[n - 1]
    return buffer


cdef void run_task(Job* job, Py_ssize_t task, real tag) noexcept nogil:
    """TASK elements, a block at a time. Nothing here depends on which thread runs it or when."""
    cdef real[BLOCK] buffer_a, buffer_b, buffer_c, factor_buffer, product
    cdef real[7 * BLOCK] planes
    cdef unsigned char[BLOCK] mask_buffer
    cdef const real* a
    cdef const real* b
    cdef const real* c
    cdef const real* factor
    cdef const unsigned char* mask = NULL
    cdef real* value
    cdef real* derivative
    cdef real* place[2]
    cdef bint direct = not (job.factors or job.masked or job.stage or job.streaming or job.kernel == ALL)
    cdef bint in_place
    cdef Py_ssize_t start = task * TASK, stop = min(start + TASK, job.size), n, width, i
    cdef double total = 0.0
    cdef int violations = 0, k
    while start < stop:
        n = min(<Py_ssize_t>BLOCK, stop - start)
        if job.whole_vectors and n > LANES:
            n -= n % LANES    # what is left over is a block of its own
        if job.prefetching:     # the hardware sees a run of BLOCK elements in one array, then one in another
            for k in range(job.inputs):
                prefetch_block(&job.input[k], start + BLOCK)
        a = load(job, &job.input[0], start, n, <real*>buffer_a)
        b = load(job, &job.input[1], start, n, <real*>buffer_b)
        c = b
        if job.inputs == 3:
            c = load(job, &job.input[2], start, n, <real*>buffer_c)
        if job.masked:
            mask = load_mask(job, start, n, mask_buffer)
        if job.domain[0] and leaves_domain(a, mask, job.masked, job.domain[0], n):
            violations |= 1
        if job.domain[1] and leaves_domain(b, mask, job.masked, job.domain[1], n):
            violations |= 2
        if job.inputs == 3 and job.domain[2] and leaves_domain(c, mask, job.masked, job.domain[2], n):
            violations |= 4
        if job.check_only:
            start += n
            continue

        # The compiler contracts the rest of a loop behind its whole vectors in other places: the bits of an element
        # depend on where in an array it stands, unless a caller wants it otherwise.
        width = max(n, <Py_ssize_t>LANES) if job.whole_vectors else n
        if width != n:
            a = padded(a, <real*>buffer_a, n, width)
            b = padded(b, <real*>buffer_b, n, width)
            c = padded(c, <real*>buffer_c, n, width) if job.inputs == 3 else b

        # Write straight into the outputs where nothing has to be done to the numbers on the way. Not a few of them:
        # where an output begins within a vector of an input, GCC's loops go one by one and may round otherwise, and the
        # bits would depend on where the arrays happen to lie.
        in_place = direct and width == n and n >= LANES
        value = planes
        if in_place and job.store_value and is_native(&job.value, tag):
            value = <real*>job.value.data + start
        for k in range(2):
            place[k] = <real*>planes + (k + 1) * BLOCK
            if in_place and k < job.derivatives and is_native(&job.derivative[k], tag):
                place[k] = <real*>job.derivative[k].data + start
        call_kernel(job, a, b, c, value, place[0], place[1], width)

        if job.factors > 0:
            for i in range(n):
                product[i] = 1
            for k in range(job.factors):
                if k == job.value_factors and job.kernel != GRAD_ONLY:
                    multiply(value, <const real*>product, n)
                factor = load(job, &job.factor[k], start, n, <real*>factor_buffer)
                multiply(<real*>product, factor, n)
            if job.value_factors == job.factors and job.kernel != GRAD_ONLY:
                multiply(value, <const real*>product, n)
        if job.masked and job.kernel != GRAD_ONLY:
            clear_masked(value, mask, n)
        if job.reduce:
            total += sum_block(<const real*>value, n)
        if job.store_value and not (in_place and is_native(&job.value, tag)):
            store(job, &job.value, start, n, <const real*>value)
        for k in range(job.derivatives):
            if in_place and is_native(&job.derivative[k], tag):
                continue
            derivative = <real*>planes + job.plane[k] * BLOCK
            if job.factors > 0:
                multiply(derivative, <const real*>product, n)
            if job.masked:
                clear_masked(derivative, mask, n)
            store(job, &job.derivative[k], start, n, <const real*>derivative)
        start += n
    if job.streaming:
        stream_fence()
    job.partials[task].sum = total
    job.partials[task].violations = violations


cdef void run_tasks(Job* job, Py_ssize_t first, Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t task
    for task in range(first, stop):
        if job.double_precision:
            run_task(job, task, <double>0)
        else:
            run_task(job, task, <float>0)


cdef void run(Job* job) noexcept:
    """Run a job; only a large one uses threads and lets the GIL go."""
    cdef Py_ssize_t tasks = (job.size + TASK - 1) // TASK, i
    cdef FloatMode mode = get_float_mode()
    cdef int width = 1
    if job.size <= SMALL:
        run_tasks(job, 0, tasks)
        return
    with nogil:
        if tasks > 1:
            width = _gate.begin(job.cost)
        if width == 1:
            run_tasks(job, 0, tasks)
        else:
            for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                run_tasks(job, first_task(i, tasks, width), first_task(i + 1, tasks, width))
            _gate.end()


_geometry.run = run
geometry = PyCapsule_New(&_geometry, b"losslib.geometry", NULL)


def kernels():
    """Return the name, number of inputs and estimated cost of every kernel, in table order."""
    return tuple(
        (_table[k].name.decode(), _table[k].inputs, _table[k].cost) for k in range(_geometry.count)
    )
