"""Sums over a row, in 16 float64 lanes combined pairwise: norms of differences, scalar products."""

from libc.math cimport fabs

from blocks cimport combine, real

cdef extern from "losslib/distance/norms.h" namespace "losslib" nogil:
    cppclass RowNorm:               # what all norms have; there is no such class
        double coefficient
        void set_degree(double p)
        double term(double u)
        double accumulate(double total, double term)
        double distance(double total, double factor)
        void set_distance(double distance)
        double slope(double u)
    cppclass EuclideanNorm(RowNorm):
        pass
    cppclass SquaredEuclidean(RowNorm):
        pass
    cppclass ManhattanNorm(RowNorm):
        pass
    cppclass ChebyshevNorm(RowNorm):
        pass
    cppclass MinkowskiNorm(RowNorm):
        void set_largest(double largest)
        bint is_steep()
        void set_total(double total)

cdef extern from "losslib/distance/range.h" namespace "losslib" nogil:
    double factor_of(double largest)
    bint out_of_range(double total)

cdef extern from "losslib/simd/lanes.h" namespace "losslib" nogil:
    cppclass SixteenSums:
        void add_product[T](const T* x, const T* y)
        void add_squared_difference[T](const T* x, const T* y, double eps)
        void store(double* lane)

ctypedef fused Norm:
    EuclideanNorm
    SquaredEuclidean
    ManhattanNorm
    ChebyshevNorm
    MinkowskiNorm

cdef enum:
    LANES = 16           # of SixteenSums


cdef inline double combine_terms(Norm norm, double* lane) noexcept nogil:
    cdef int k
    for k in range(8):
        lane[k] = norm.accumulate(lane[k], lane[k + 8])
    for k in range(4):
        lane[k] = norm.accumulate(lane[k], lane[k + 4])
    return norm.accumulate(norm.accumulate(lane[0], lane[2]), norm.accumulate(lane[1], lane[3]))


cdef inline double difference(Norm norm, const real* x, const real* y, double eps, Py_ssize_t i) noexcept nogil:
    """Element i of x - y + eps; in the type of the rows where SixteenSums takes it so."""
    if Norm is EuclideanNorm or Norm is SquaredEuclidean:
        return <double>(x[i] - y[i] + <real>eps)
    else:
        return <double>x[i] - <double>y[i] + eps


cdef inline double largest_element(const real* x, const real* y, double eps, Py_ssize_t n) noexcept nogil:
    """The largest |x - y + eps|, or with y = NULL the largest |x|; NaN if there is one."""
    cdef double largest = 0.0, size
    cdef Py_ssize_t i
    for i in range(n):
        size = fabs(<double>x[i]) if y == NULL else fabs(<double>x[i] - <double>y[i] + eps)
        if size > largest or size != size:
            largest = size
    return largest


cdef inline double rescued_distance(Norm norm, const real* x, const real* y, double eps, Py_ssize_t n) noexcept nogil:
    """The distance where a sum of powers would leave the range of double: elements are brought near 1 first."""
    cdef double largest = largest_element(x, y, eps, n), factor = factor_of(largest), total = 0.0
    cdef Py_ssize_t i
    if Norm is MinkowskiNorm:
        norm.set_largest(largest * factor)
    for i in range(n):
        total = norm.accumulate(total, norm.term((<double>x[i] - <double>y[i] + eps) * factor))
    return norm.distance(total, factor)


cdef inline double distance_of(Norm norm, double total, const real* x, const real* y, double eps,
                               Py_ssize_t n) noexcept nogil:
    if out_of_range(total):
        return rescued_distance(norm, x, y, eps, n)
    return norm.distance(total, 1.0)


cdef inline double difference_total(Norm norm, const real* x, const real* y, double eps, Py_ssize_t n) noexcept nogil:
    cdef double[LANES] lane
    cdef SixteenSums sums
    cdef Py_ssize_t i = 0
    cdef int k
    if Norm is EuclideanNorm or Norm is SquaredEuclidean:
        while i + LANES <= n:
            sums.add_squared_difference(x + i, y + i, eps)
            i += LANES
        sums.store(lane)
    else:
        for k in range(LANES):
            lane[k] = 0.0
        while i + LANES <= n:
            for k in range(LANES):
                lane[k] = norm.accumulate(lane[k], norm.term(difference(norm, x, y, eps, i + k)))
            i += LANES
    for k in range(<int>(n - i)):
        lane[k] = norm.accumulate(lane[k], norm.term(difference(norm, x, y, eps, i + k)))
    return combine_terms(norm, lane)


cdef inline void two_difference_totals(Norm norm, const real* a, const real* p, const real* q, double eps,
                                       Py_ssize_t n, double* total) noexcept nogil:
    """The sums for a - p and a - q, with a read once."""
    cdef double[LANES] first, second
    cdef SixteenSums first_sums, second_sums
    cdef Py_ssize_t i = 0
    cdef int k
    if Norm is EuclideanNorm or Norm is SquaredEuclidean:
        while i + LANES <= n:
            first_sums.add_squared_difference(a + i, p + i, eps)
            second_sums.add_squared_difference(a + i, q + i, eps)
            i += LANES
        first_sums.store(first)
        second_sums.store(second)
    else:
        for k in range(LANES):
            first[k] = 0.0
        for k in range(LANES):
            second[k] = 0.0
        while i + LANES <= n:
            for k in range(LANES):
                first[k] = norm.accumulate(first[k], norm.term(difference(norm, a, p, eps, i + k)))
            for k in range(LANES):
                second[k] = norm.accumulate(second[k], norm.term(difference(norm, a, q, eps, i + k)))
            i += LANES
    for k in range(<int>(n - i)):
        first[k] = norm.accumulate(first[k], norm.term(difference(norm, a, p, eps, i + k)))
        second[k] = norm.accumulate(second[k], norm.term(difference(norm, a, q, eps, i + k)))
    total[0] = combine_terms(norm, first)
    total[1] = combine_terms(norm, second)


cdef inline void products(const real* x, const real* y, Py_ssize_t n, double* total) noexcept nogil:
    """x.y, x.x and y.y."""
    cdef double[LANES] dot, square_x, square_y
    cdef SixteenSums dot_sums, square_x_sums, square_y_sums
    cdef double a, b
    cdef Py_ssize_t i = 0
    cdef int k
    while i + LANES <= n:
        dot_sums.add_product(x + i, y + i)
        square_x_sums.add_product(x + i, x + i)
        square_y_sums.add_product(y + i, y + i)
        i += LANES
    dot_sums.store(dot)
    square_x_sums.store(square_x)
    square_y_sums.store(square_y)
    for k in range(<int>(n - i)):
        a = <double>x[i + k]
        b = <double>y[i + k]
        dot[k] += a * b
        square_x[k] += a * a
        square_y[k] += b * b
    total[0] = combine(dot)
    total[1] = combine(square_x)
    total[2] = combine(square_y)


cdef inline double scaled_product(const real* x, const real* y, double factor_x, double factor_y,
                                  Py_ssize_t n) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += (<double>x[i] * factor_x) * (<double>y[i] * factor_y)
    return total
