"""Plain arrays: exact ndarrays of one float type, C-contiguous, aligned, in native byte order.

Calls on these are answered by compiled code alone; what is said here about an array never raises.
"""

cimport numpy as cnp
from libc.string cimport memcmp


cdef inline bint is_plain(object array, int type_number) noexcept:
    return (cnp.PyArray_CheckExact(array)
            and cnp.PyArray_TYPE(<cnp.ndarray>array) == type_number
            and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>array))


cdef inline bint same_shape(object a, object b) noexcept:
    cdef int n = cnp.PyArray_NDIM(<cnp.ndarray>a)
    if n != cnp.PyArray_NDIM(<cnp.ndarray>b):
        return False
    return n == 0 or memcmp(      # a 0-d array has no list of lengths
        cnp.PyArray_DIMS(<cnp.ndarray>a), cnp.PyArray_DIMS(<cnp.ndarray>b), n * sizeof(cnp.npy_intp)) == 0


cdef inline bint is_row_shape(object array, object rows) noexcept:
    """True if `array` has one element for each row: the shape of `rows` without its last axis."""
    cdef int n = cnp.PyArray_NDIM(<cnp.ndarray>rows) - 1
    if n != cnp.PyArray_NDIM(<cnp.ndarray>array):
        return False
    return n == 0 or memcmp(
        cnp.PyArray_DIMS(<cnp.ndarray>array), cnp.PyArray_DIMS(<cnp.ndarray>rows), n * sizeof(cnp.npy_intp)) == 0


cdef inline bint overlap(object a, object b) noexcept:
    """True if two arrays share bytes, or if one is no array, which is for others to complain about."""
    if not cnp.PyArray_CheckExact(a) or not cnp.PyArray_CheckExact(b):
        return True
    cdef char* p = <char*>cnp.PyArray_DATA(<cnp.ndarray>a)
    cdef char* q = <char*>cnp.PyArray_DATA(<cnp.ndarray>b)
    return p < q + cnp.PyArray_NBYTES(<cnp.ndarray>b) and q < p + cnp.PyArray_NBYTES(<cnp.ndarray>a)


cdef inline bint overlaps_any(object array, tuple others) noexcept:
    cdef Py_ssize_t k
    for k in range(len(others)):
        if overlap(array, others[k]):
            return True
    return False


cdef inline object new_like(object array, int type_number):
    return cnp.PyArray_SimpleNew(
        cnp.PyArray_NDIM(<cnp.ndarray>array), cnp.PyArray_DIMS(<cnp.ndarray>array), type_number)
