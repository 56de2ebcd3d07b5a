"""Where an array lies in memory, for drivers whose geometries have laid it out in one piece before."""

cimport numpy as cnp


cdef inline void* start_of(object array) noexcept:
    """Where a contiguous array begins; NULL for None."""
    if array is None:
        return NULL
    return cnp.PyArray_DATA(<cnp.ndarray>array)


cdef inline double* data_of(object array) noexcept:
    """The numbers of a contiguous float64 array; NULL for None."""
    return <double*>start_of(array)
