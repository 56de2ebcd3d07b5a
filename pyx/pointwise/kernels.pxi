# The loops of the pointwise losses, and the table that a family of them hands over: included, since Cython has no
# templates over open sets of types, by each family after its fused type ``Loss``.
#
# A kernel walks whole vectors, LANES elements each, and writes no memory that it reads (`Target` is restrict). So the
# compiler needs one loop and no other: no copy of it for arrays that overlap, none for a rest, and the bits of an
# element depend neither on its place in an array nor on that of the array in memory. The driver sees to both.

from cpython.pycapsule cimport PyCapsule_New
from libc.stdlib cimport calloc

from blocks cimport real
from job cimport (
    ALL, BLOCK, GRAD_ONLY, LANES, VALUE_GRAD, VALUE_GRAD_HESS, VALUE_ONLY, VALUE_PAIR, KernelDouble, KernelFloat,
    KernelSet,
)

cdef extern from "losslib/core/evaluate.h" namespace "losslib" nogil:
    cppclass Jet[T]:
        T value
        T grad
        T hess
        T grad2
        T hess2
        T grad3
        T hess3
    cppclass Source[T]:
        const T& operator[](Py_ssize_t)
    cppclass Target[T]:
        T& operator[](Py_ssize_t)
    Jet[T] evaluate[L, T](const L& loss, T first, T second, T third)
    T scaled_grad[L, T](const L& loss, const Jet[T]& jet, T first, T second, T scale)
    T partner_grad[L, T](const L& loss, const Jet[T]& jet)
    int inputs_of[L](const L* tag)
    bint has_partner[L](const L* tag)
    bint sees_difference_alone[L](const L* tag)


# ---- kernels: `vectors` times LANES elements of one loss ---------------------------------------------------------
# All have one signature; what a kernel does not write may be NULL.

cdef void value_only(Source[Loss] parameters, Source[real] a, Source[real] b, Source[real] c, Target[real] value,
                     Target[real] grad, Target[real] hess, real scale, Py_ssize_t vectors) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(vectors * LANES):
        value[i] = evaluate(parameters[0], a[i], b[i], c[i]).value


cdef void grad_only(Source[Loss] parameters, Source[real] a, Source[real] b, Source[real] c, Target[real] value,
                    Target[real] grad, Target[real] hess, real scale, Py_ssize_t vectors) noexcept nogil:
    cdef Jet[real] jet
    cdef Py_ssize_t i
    for i in range(vectors * LANES):
        jet = evaluate(parameters[0], a[i], b[i], c[i])
        grad[i] = scaled_grad(parameters[0], jet, <real>a[i], <real>b[i], scale)


cdef void value_grad(Source[Loss] parameters, Source[real] a, Source[real] b, Source[real] c, Target[real] value,
                     Target[real] grad, Target[real] hess, real scale, Py_ssize_t vectors) noexcept nogil:
    cdef Jet[real] jet
    cdef Py_ssize_t i
    for i in range(vectors * LANES):
        jet = evaluate(parameters[0], a[i], b[i], c[i])
        value[i] = jet.value
        grad[i] = scaled_grad(parameters[0], jet, <real>a[i], <real>b[i], scale)


cdef void value_grad_hess(Source[Loss] parameters, Source[real] a, Source[real] b, Source[real] c, Target[real] value,
                          Target[real] grad, Target[real] hess, real scale, Py_ssize_t vectors) noexcept nogil:
    cdef Jet[real] jet
    cdef Py_ssize_t i
    for i in range(vectors * LANES):
        jet = evaluate(parameters[0], a[i], b[i], c[i])
        value[i] = jet.value
        grad[i] = scaled_grad(parameters[0], jet, <real>a[i], <real>b[i], scale)
        hess[i] = jet.hess * scale


cdef void value_pair(Source[Loss] parameters, Source[real] a, Source[real] b, Source[real] c, Target[real] value,
                     Target[real] grad, Target[real] partner, real scale, Py_ssize_t vectors) noexcept nogil:
    cdef Jet[real] jet
    cdef Py_ssize_t i
    for i in range(vectors * LANES):
        jet = evaluate(parameters[0], a[i], b[i], c[i])
        value[i] = jet.value
        grad[i] = jet.grad * scale
        partner[i] = partner_grad(parameters[0], jet) * scale


cdef void all_planes(Source[Loss] parameters, Source[real] a, Source[real] b, Source[real] c, Target[real] value,
                     Target[real] grad, Target[real] hess, real scale, Py_ssize_t vectors) noexcept nogil:
    """Everything, into the PLANES × BLOCK buffer at `value`: derivatives of the other inputs are the cold path."""
    cdef Jet[real] jet
    cdef Py_ssize_t i
    for i in range(vectors * LANES):
        jet = evaluate(parameters[0], a[i], b[i], c[i])
        value[i] = jet.value
        value[BLOCK + i] = jet.grad * scale
        value[2 * BLOCK + i] = jet.hess * scale
        value[3 * BLOCK + i] = jet.grad2 * scale
        value[4 * BLOCK + i] = jet.hess2 * scale
        value[5 * BLOCK + i] = jet.grad3 * scale
        value[6 * BLOCK + i] = jet.hess3 * scale


# ---- the table -------------------------------------------------------------------------------------------------

#: Name of each loss of this family -> capsule of its KernelSet, which lives as long as the process.
kernels = {}


cdef int register(const Loss* tag, const char* name, double cost) except -1:
    """Enter the kernels of a loss; `cost` in nanoseconds per element decides from which size threads pay.

    The conditions are constants, and a kernel that nothing names is not compiled.
    """
    cdef KernelSet* entry = <KernelSet*>calloc(1, sizeof(KernelSet))
    if entry == NULL:
        raise MemoryError("no memory for the kernels of a loss")
    entry.name = name
    entry.inputs = inputs_of(tag)
    entry.cost = cost
    entry.float32[VALUE_ONLY] = <KernelFloat>value_only[Loss, float]
    entry.float32[GRAD_ONLY] = <KernelFloat>grad_only[Loss, float]
    entry.float32[VALUE_GRAD] = <KernelFloat>value_grad[Loss, float]
    entry.float32[VALUE_GRAD_HESS] = <KernelFloat>value_grad_hess[Loss, float]
    entry.float64[VALUE_ONLY] = <KernelDouble>value_only[Loss, double]
    entry.float64[GRAD_ONLY] = <KernelDouble>grad_only[Loss, double]
    entry.float64[VALUE_GRAD] = <KernelDouble>value_grad[Loss, double]
    entry.float64[VALUE_GRAD_HESS] = <KernelDouble>value_grad_hess[Loss, double]
    if has_partner(tag):
        entry.float32[VALUE_PAIR] = <KernelFloat>value_pair[Loss, float]
        entry.float64[VALUE_PAIR] = <KernelDouble>value_pair[Loss, double]
    if not sees_difference_alone(tag):
        entry.float32[ALL] = <KernelFloat>all_planes[Loss, float]
        entry.float64[ALL] = <KernelDouble>all_planes[Loss, double]
    kernels[name.decode()] = PyCapsule_New(entry, b"losslib.kernel_set", NULL)
    return 0
