"""The kernels of a pointwise loss and their parameters: a compiled set with numbers, or the program of a formula."""

from cpython.pycapsule cimport PyCapsule_GetPointer

from job cimport Job, KernelSet
from program cimport Formula

cdef enum:
    MAX_NUMBERS = 8      # parameters of a kernel


cdef inline const KernelSet* set_of(object capsule) except NULL:
    """Return the kernels of a capsule, as ``losslib._kernels.kernel`` finds it by name."""
    return <const KernelSet*>PyCapsule_GetPointer(capsule, b"losslib.kernel_set")


cdef inline const KernelSet* set_of_program(object program) except NULL:
    return &(<Formula*>PyCapsule_GetPointer(program.formula, b"losslib.formula")).set


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


cdef inline int copy_numbers(double* target, tuple numbers) except -1:
    cdef Py_ssize_t k
    if len(numbers) > MAX_NUMBERS:
        raise SystemError(f"a kernel has at most {MAX_NUMBERS} parameters")
    for k in range(len(numbers)):
        target[k] = numbers[k]
    return 0
