"""Plain calls: C-contiguous logits with the classes on axis 1 (or 0 of a vector), no option.

The target is int64 or int32 classes, or a row of the type and shape of the logits.

Type, shape and layout are read through NumPy's C API; what is said here about an array never raises.
"""

cimport numpy as cnp

from job cimport FLOAT32, FLOAT64
from plain cimport is_plain, overlap, same_shape
from softmax.call cimport Rows, View


cdef inline void contiguous_view(const Rows* rows, View* view, object array) noexcept:
    view.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    view.type = FLOAT64 if rows.double_precision else FLOAT32
    view.inner = 8 if rows.double_precision else 4
    view.classes = view.inner * rows.inner
    view.outer = view.classes * rows.classes


cdef inline bint read_plain(Rows* rows, object input, object target) noexcept:
    """Lay out a call over these arrays; False if they are not plain, or if there is nothing in them."""
    cdef int ndim, k, type_number
    cdef Py_ssize_t* shape
    if not (cnp.PyArray_CheckExact(input) and cnp.PyArray_CheckExact(target)):
        return False
    type_number = cnp.PyArray_TYPE(<cnp.ndarray>input)
    ndim = cnp.PyArray_NDIM(<cnp.ndarray>input)
    if (type_number != cnp.NPY_FLOAT and type_number != cnp.NPY_DOUBLE) or ndim < 1:
        return False
    if not (cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>input) and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>target)):
        return False
    shape = <Py_ssize_t*>cnp.PyArray_DIMS(<cnp.ndarray>input)
    rows.inner = 1
    rows.outer = 1 if ndim == 1 else shape[0]
    rows.classes = shape[0] if ndim == 1 else shape[1]
    for k in range(2, ndim):
        rows.inner *= shape[k]
    rows.samples = rows.outer * rows.inner
    if rows.samples == 0 or rows.classes == 0:
        return False
    rows.double_precision = type_number == cnp.NPY_DOUBLE
    contiguous_view(rows, &rows.input, input)
    rows.soft = cnp.PyArray_TYPE(<cnp.ndarray>target) == type_number
    if rows.soft:
        contiguous_view(rows, &rows.target, target)
        return same_shape(input, target)
    return read_plain_classes(rows, ndim, shape, target)


cdef inline bint read_plain_classes(Rows* rows, int ndim, const Py_ssize_t* shape, object target) noexcept:
    cdef int k = cnp.PyArray_TYPE(<cnp.ndarray>target)
    cdef Py_ssize_t* target_shape = <Py_ssize_t*>cnp.PyArray_DIMS(<cnp.ndarray>target)
    if (k != cnp.NPY_INT64 and k != cnp.NPY_INT32) or cnp.PyArray_NDIM(<cnp.ndarray>target) != ndim - 1:
        return False
    if ndim > 1 and target_shape[0] != shape[0]:
        return False
    for k in range(2, ndim):
        if target_shape[k - 1] != shape[k]:
            return False
    rows.index = <const char*>cnp.PyArray_DATA(<cnp.ndarray>target)
    rows.index_size = cnp.PyArray_ITEMSIZE(<cnp.ndarray>target)
    rows.index_signed = True
    rows.index_inner = rows.index_size
    rows.index_outer = rows.index_size * rows.inner
    return True


cdef inline bint may_write(object out, object input, object target) noexcept:
    """True for an array like the input that shares memory with none of both, or is the input to the byte."""
    if not (is_plain(out, cnp.PyArray_TYPE(<cnp.ndarray>input)) and cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out)
            and same_shape(out, input)):
        return False
    if overlap(out, input) and cnp.PyArray_DATA(<cnp.ndarray>out) != cnp.PyArray_DATA(<cnp.ndarray>input):
        return False
    return not overlap(out, target)
