"""Arrays of one shape and any strides as the operands of a job, for the general path."""

cimport numpy as cnp

from job cimport MAX_AXES, Job, Operand
from memory cimport type_of


cdef inline Py_ssize_t distance(object array, int axis) noexcept:
    """The bytes from element to element along an axis, whatever the direction."""
    cdef Py_ssize_t stride = cnp.PyArray_STRIDE(<cnp.ndarray>array, axis)
    return -stride if stride < 0 else stride


cdef inline int sort_axes(object array, int* order) noexcept:
    """Order the axes that are longer than 1 by their strides, the largest first; return how many there are."""
    cdef int axes = 0, axis, place
    for axis in range(cnp.PyArray_NDIM(<cnp.ndarray>array)):
        if cnp.PyArray_DIM(<cnp.ndarray>array, axis) == 1:
            continue
        place = axes
        while place > 0 and distance(array, order[place - 1]) < distance(array, axis):
            order[place] = order[place - 1]
            place -= 1
        order[place] = axis
        axes += 1
    return axes


cdef inline bint continues(const Job* job, list arrays, Operand** operands, int axis, Py_ssize_t length) noexcept:
    """True if in every array one step along the job's last axis is the whole of this one."""
    cdef Py_ssize_t k
    for k in range(len(arrays)):
        if operands[k].strides[job.axes - 1] != length * cnp.PyArray_STRIDE(<cnp.ndarray>arrays[k], axis):
            return False
    return True


cdef inline int lay_out(Job* job, list arrays, Operand** operands) except -1:
    """Coalesce the common shape of the arrays into the job's axes, and place each array along them as its operand.

    Axes of length 1 go; the others are ordered by the strides of the first array, so that memory is walked in its own
    order whatever the layout; neighbours merge where every array allows it.
    """
    cdef int[MAX_AXES] order
    cdef cnp.ndarray array = arrays[0]
    cdef int axes = sort_axes(array, order), i
    cdef Py_ssize_t length, k
    job.axes = 0
    job.size = 1
    for i in range(axes):
        length = cnp.PyArray_DIM(<cnp.ndarray>arrays[0], order[i])
        job.size *= length
        if job.axes > 0 and continues(job, arrays, operands, order[i], length):
            job.shape[job.axes - 1] *= length
        else:
            job.shape[job.axes] = length
            job.axes += 1
        for k in range(len(arrays)):
            operands[k].strides[job.axes - 1] = cnp.PyArray_STRIDE(<cnp.ndarray>arrays[k], order[i])
    if job.axes == 0:
        job.axes = job.shape[0] = 1
        for k in range(len(arrays)):
            operands[k].strides[0] = 0
    for k in range(len(arrays)):
        array = arrays[k]
        operands[k].data = <char*>cnp.PyArray_DATA(array)
        operands[k].type = type_of(array)
        operands[k].contiguous = job.axes == 1 and (
            operands[k].strides[0] == cnp.PyArray_ITEMSIZE(array) or job.size == 1)
    return 0
