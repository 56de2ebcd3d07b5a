"""Where an array lies in memory, and the type of its elements, for drivers whose geometries have read it before."""

cimport numpy as cnp

from job cimport BFLOAT16, BOOL, FLOAT16, FLOAT32, FLOAT64


cdef inline void* start_of(object array) noexcept:
    """Where a contiguous array begins; NULL for None."""
    if array is None:
        return NULL
    return cnp.PyArray_DATA(<cnp.ndarray>array)


cdef inline double* data_of(object array) noexcept:
    """The numbers of a contiguous float64 array; NULL for None."""
    return <double*>start_of(array)


cdef inline int type_of(cnp.ndarray array) except -1:
    """The code of a float type or of bool; bfloat16 is no type of NumPy's own."""
    cdef int number = cnp.PyArray_TYPE(array)
    if number == cnp.NPY_FLOAT:
        return FLOAT32
    if number == cnp.NPY_DOUBLE:
        return FLOAT64
    if number == cnp.NPY_FLOAT16:
        return FLOAT16
    if number == cnp.NPY_BOOL:
        return BOOL
    if array.dtype.name != "bfloat16":
        raise SystemError(f"no driver reads the type {array.dtype}")
    return BFLOAT16
