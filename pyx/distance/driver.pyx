"""The distance geometry: losses of pairs and triplets of rows.

A row is read once for its sums (norms, scalar products) and, while it is in the first cache, once more for the
gradients, which are combinations of the same rows with coefficients that depend on the sums. Sums run over 16 float64
lanes combined pairwise; a row is computed by one thread, so the number of threads changes no bit. This module is
compiled once for each instruction set; ``losslib.geometries.distance`` prepares the arrays and calls ``run``.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange
from libc.math cimport fabs
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from blocks cimport combine, real, row_from, sum_block
from gate cimport ThreadGate
from plain cimport is_plain, is_row_shape, new_like, overlaps_any, same_shape
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef extern from "losslib/distance/distance.h" namespace "losslib" nogil:
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
        pass
    cppclass Cosine:
        double value
        double cross
        double ratio_x
        double ratio_y
    Cosine cosine_of_squares(double dot, double square_x, double square_y)
    Cosine cosine_of_clamped_norms(double dot, double square_x, double square_y, double eps)
    cppclass FusedResidual:
        void set_ratio(double ratio)
        float at(float x, float y)
    bint fused_available "losslib::FusedResidual::available"
    double factor_of(double largest)
    bint is_ordinary(double number)
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
    BLOCK = 512          # elements of a row that are set aside when a gradient overwrites an input
    TASK = 16384         # elements of an input that a thread takes at a time
    SMALL = 4096         # elements up to which the GIL is kept

cdef enum Mode:
    VALUE = 0
    GRAD = 1
    VALUE_AND_GRAD = 2
    VALUE_GRAD_AND_HESS = 3

cdef struct Job:
    const char* input[3]             # each rows x columns, the columns contiguous
    Py_ssize_t input_stride[3]       # bytes from row to row
    char* grad[3]                    # NULL where a gradient is not wanted
    Py_ssize_t grad_stride[3]
    const double* target             # one label a row, or NULL
    const double* scale              # one factor of the gradient a row, or NULL for `factor`
    double factor
    const unsigned char* mask        # 0: a row that does not count and is not read; or NULL
    double* value
    Py_ssize_t rows
    Py_ssize_t columns
    bint wanted                      # any gradient
    bint stage                       # a gradient lies on an input: read a block before it is written
    double margin
    double degree
    double eps
    bint swap


# ---- sums over a row ---------------------------------------------------------------------------------------------

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


cdef double largest_element(const real* x, const real* y, double eps, Py_ssize_t n) noexcept nogil:
    """The largest |x - y + eps|, or with y = NULL the largest |x|; NaN if there is one."""
    cdef double largest = 0.0, size
    cdef Py_ssize_t i
    for i in range(n):
        size = fabs(<double>x[i]) if y == NULL else fabs(<double>x[i] - <double>y[i] + eps)
        if size > largest or size != size:
            largest = size
    return largest


cdef double rescued_distance(Norm norm, const real* x, const real* y, double eps, Py_ssize_t n) noexcept nogil:
    """The distance where a sum of powers would leave the range of double: elements are brought near 1 first."""
    cdef double factor = factor_of(largest_element(x, y, eps, n)), total = 0.0
    cdef Py_ssize_t i
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


cdef double scaled_product(const real* x, const real* y, double factor_x, double factor_y,
                           Py_ssize_t n) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += (<double>x[i] * factor_x) * (<double>y[i] * factor_y)
    return total


# ---- gradients over a row ----------------------------------------------------------------------------------------
# One loop where every gradient is wanted, else one loop each. No output may be an input here: see `stage` below.

cdef inline bint is_ratio(double ratio) noexcept nogil:
    return ratio == 0.0 or is_ordinary(ratio)


cdef inline void narrow_residuals(const float* x, const float* y, float* grad_x, float* grad_y, double c,
                                  double ratio_x, double ratio_y, Py_ssize_t n) noexcept nogil:
    """grad_x = c (y - ratio_x x) and grad_y = c (x - ratio_y y) in float32."""
    cdef FusedResidual from_x, from_y
    cdef float factor = <float>c, u, v
    cdef Py_ssize_t i
    from_x.set_ratio(ratio_x)
    from_y.set_ratio(ratio_y)
    if grad_x != NULL and grad_y != NULL:
        for i in range(n):
            u = x[i]        # read before the first store: arrays often lie at the same place in their pages, and a
            v = y[i]        # read behind a store to such a place waits for it
            grad_x[i] = factor * from_x.at(u, v)
            grad_y[i] = factor * from_y.at(v, u)
    elif grad_x != NULL:
        for i in range(n):
            grad_x[i] = factor * from_x.at(x[i], y[i])
    elif grad_y != NULL:
        for i in range(n):
            grad_y[i] = factor * from_y.at(y[i], x[i])


cdef inline void pair_residuals(const real* x, const real* y, real* grad_x, real* grad_y, double c, double ratio_x,
                                double ratio_y, double factor_x, double factor_y, Py_ssize_t n) noexcept nogil:
    """grad_x = c factor_x (y - ratio_x x) and grad_y = c factor_y (x - ratio_y y), the rows times their factors."""
    cdef Py_ssize_t i
    cdef double a, b, c_x = c * factor_x, c_y = c * factor_y, own_x = c * ratio_x, own_y = c * ratio_y
    if factor_x != 1.0 or factor_y != 1.0:
        for i in range(n):
            a = <double>x[i] * factor_x
            b = <double>y[i] * factor_y
            if grad_x != NULL:
                grad_x[i] = <real>(c_x * (b - ratio_x * a))
            if grad_y != NULL:
                grad_y[i] = <real>(c_y * (a - ratio_y * b))
        return
    if real is float:
        if fused_available and is_ordinary(c) and is_ratio(ratio_x) and is_ratio(ratio_y):
            narrow_residuals(x, y, grad_x, grad_y, c, ratio_x, ratio_y, n)
            return
    if grad_x != NULL:
        for i in range(n):
            grad_x[i] = <real>(c * <double>y[i] - own_x * <double>x[i])
    if grad_y != NULL:
        for i in range(n):
            grad_y[i] = <real>(c * <double>x[i] - own_y * <double>y[i])


cdef inline void pair_difference(const real* x, const real* y, real* grad_x, real* grad_y, double c,
                                 Py_ssize_t n) noexcept nogil:
    """grad_x = c (x - y), grad_y = -grad_x."""
    cdef Py_ssize_t i
    cdef double u
    if grad_x != NULL and grad_y != NULL:
        for i in range(n):
            u = c * (<double>x[i] - <double>y[i])
            grad_x[i] = <real>u
            grad_y[i] = <real>-u
    elif grad_x != NULL:
        for i in range(n):
            grad_x[i] = <real>(c * (<double>x[i] - <double>y[i]))
    elif grad_y != NULL:
        for i in range(n):
            grad_y[i] = <real>(c * (<double>y[i] - <double>x[i]))


cdef inline void narrow_difference(const float* a, const float* p, const float* q, float* grad_a, float* grad_p,
                                   float* grad_q, double c_positive, double c_negative, double eps,
                                   Py_ssize_t n) noexcept nogil:
    """The gradients of Euclidean d(a, p) - d(a, q) in float32."""
    cdef float near = <float>c_positive, far = <float>c_negative, shift = <float>eps, u, v
    cdef Py_ssize_t i
    if grad_a != NULL and grad_p != NULL and grad_q != NULL:
        for i in range(n):
            u = a[i] - p[i] + shift     # before the first store, see above
            v = a[i] - q[i] + shift
            grad_a[i] = near * u - far * v
            grad_p[i] = -near * u
            grad_q[i] = far * v
        return
    if grad_a != NULL:
        for i in range(n):
            grad_a[i] = near * (a[i] - p[i] + shift) - far * (a[i] - q[i] + shift)
    if grad_p != NULL:
        for i in range(n):
            grad_p[i] = -near * (a[i] - p[i] + shift)
    if grad_q != NULL:
        for i in range(n):
            grad_q[i] = far * (a[i] - q[i] + shift)


cdef inline void triplet_difference(Norm to_positive, Norm to_negative, Norm swapped, const real* a, const real* p,
                                    const real* q, real* grad_a, real* grad_p, real* grad_q, double c_positive,
                                    double c_negative, double c_swapped, double eps, bint narrow,
                                    Py_ssize_t n) noexcept nogil:
    """The gradients of d(a, p) - d(a, q) - d(p, q), each distance times its coefficient."""
    cdef Py_ssize_t i
    cdef double u, v, w
    if real is float:
        if narrow:
            narrow_difference(a, p, q, grad_a, grad_p, grad_q, c_positive, c_negative, eps, n)
            return
    if grad_a != NULL and grad_p != NULL and grad_q != NULL:
        if c_swapped == 0.0:
            for i in range(n):
                u = c_positive * to_positive.slope(<double>a[i] - <double>p[i] + eps)
                v = c_negative * to_negative.slope(<double>a[i] - <double>q[i] + eps)
                grad_a[i] = <real>(u - v)
                grad_p[i] = <real>-u
                grad_q[i] = <real>v
        else:
            for i in range(n):
                u = c_positive * to_positive.slope(<double>a[i] - <double>p[i] + eps)
                v = c_negative * to_negative.slope(<double>a[i] - <double>q[i] + eps)
                w = c_swapped * swapped.slope(<double>p[i] - <double>q[i] + eps)
                grad_a[i] = <real>(u - v)
                grad_p[i] = <real>(-u - w)
                grad_q[i] = <real>(v + w)
        return
    if grad_a != NULL:
        for i in range(n):
            u = c_positive * to_positive.slope(<double>a[i] - <double>p[i] + eps)
            v = c_negative * to_negative.slope(<double>a[i] - <double>q[i] + eps)
            grad_a[i] = <real>(u - v)
    if grad_p != NULL:
        for i in range(n):
            u = c_positive * to_positive.slope(<double>a[i] - <double>p[i] + eps)
            w = c_swapped * swapped.slope(<double>p[i] - <double>q[i] + eps)
            grad_p[i] = <real>(-u - w)
    if grad_q != NULL:
        for i in range(n):
            v = c_negative * to_negative.slope(<double>a[i] - <double>q[i] + eps)
            w = c_swapped * swapped.slope(<double>p[i] - <double>q[i] + eps)
            grad_q[i] = <real>(v + w)


cdef inline void triplet_combination(const real* a, const real* p, const real* q, real* grad_a, real* grad_p,
                                     real* grad_q, const double* c, const double* factor,
                                     Py_ssize_t n) noexcept nogil:
    """Gradient k is c[3k] a + c[3k+1] p + c[3k+2] q, the rows times their factors."""
    cdef double c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3], c4 = c[4], c5 = c[5], c6 = c[6], c7 = c[7], c8 = c[8]
    cdef double fa = factor[0], fp = factor[1], fq = factor[2]
    cdef Py_ssize_t i
    cdef double x, y, z
    if grad_a != NULL and grad_p != NULL and grad_q != NULL:
        for i in range(n):
            x = <double>a[i] * fa
            y = <double>p[i] * fp
            z = <double>q[i] * fq
            grad_a[i] = <real>(c0 * x + c1 * y + c2 * z)
            grad_p[i] = <real>(c3 * x + c4 * y + c5 * z)
            grad_q[i] = <real>(c6 * x + c7 * y + c8 * z)
        return
    if grad_a != NULL:
        for i in range(n):
            grad_a[i] = <real>(c0 * (<double>a[i] * fa) + c1 * (<double>p[i] * fp) + c2 * (<double>q[i] * fq))
    if grad_p != NULL:
        for i in range(n):
            grad_p[i] = <real>(c3 * (<double>a[i] * fa) + c4 * (<double>p[i] * fp) + c5 * (<double>q[i] * fq))
    if grad_q != NULL:
        for i in range(n):
            grad_q[i] = <real>(c6 * (<double>a[i] * fa) + c7 * (<double>p[i] * fp) + c8 * (<double>q[i] * fq))


# ---- one row -----------------------------------------------------------------------------------------------------

cdef inline const real* input_row(const Job* job, int k, Py_ssize_t row, real tag) noexcept nogil:
    return <const real*>(job.input[k] + row * job.input_stride[k])


cdef inline real* grad_row(const Job* job, int k, Py_ssize_t row, real tag) noexcept nogil:
    if job.grad[k] == NULL:
        return NULL
    return <real*>(job.grad[k] + row * job.grad_stride[k])


cdef inline double scale_of(const Job* job, Py_ssize_t row) noexcept nogil:
    return job.factor if job.scale == NULL else job.scale[row]


cdef inline void clear_gradients(const Job* job, Py_ssize_t row, size_t item) noexcept nogil:
    cdef int k
    for k in range(3):
        if job.grad[k] != NULL:
            memset(job.grad[k] + row * job.grad_stride[k], 0, job.columns * item)


cdef inline bint pick_negative(const Job* job, double margin, double positive, double negative, double swapped,
                               double* share, double* value) noexcept nogil:
    """The hinge of a triplet: its value, the share of d(a, n) in the least negative distance (a half when it ties
    with d(p, n), as in PyTorch), and whether a gradient flows, which it does at 0 too."""
    cdef double hinge
    share[0] = 1.0
    if job.swap:
        if swapped < negative or swapped != swapped:
            share[0] = 0.0
            negative = swapped
        elif swapped == negative:
            share[0] = 0.5
    hinge = margin + positive - negative
    value[0] = 0.0 if hinge < 0.0 else hinge
    return not hinge < 0.0


cdef inline void set_gradient_of_norm(Norm* norm, double distance, const real* x, const real* y, double eps,
                                      Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, count = 0
    norm.set_distance(distance)
    if Norm is ChebyshevNorm:
        for i in range(n):
            count += fabs(<double>x[i] - <double>y[i] + eps) == distance
        norm.coefficient = 1.0 / <double>(count if count > 0 else 1)


cdef void triplet(const Norm* kind, const real* tag, const Job* job, Py_ssize_t row) noexcept nogil:
    cdef const real* a = input_row(job, 0, row, <real>0)
    cdef const real* p = input_row(job, 1, row, <real>0)
    cdef const real* q = input_row(job, 2, row, <real>0)
    cdef real* grad_a = grad_row(job, 0, row, <real>0)
    cdef real* grad_p = grad_row(job, 1, row, <real>0)
    cdef real* grad_q = grad_row(job, 2, row, <real>0)
    cdef real[BLOCK] copy_a, copy_p, copy_q
    cdef Norm to_positive, to_negative, swapped
    cdef double[2] total
    cdef double eps = job.eps, positive, negative, between = 0.0, share, c_positive, c_negative, c_swapped = 0.0
    cdef bint narrow = False
    cdef Py_ssize_t n = job.columns, start = 0, size
    to_positive.set_degree(job.degree)
    to_negative.set_degree(job.degree)
    swapped.set_degree(job.degree)
    two_difference_totals(to_positive, a, p, q, eps, n, total)
    positive = distance_of(to_positive, total[0], a, p, eps, n)
    negative = distance_of(to_positive, total[1], a, q, eps, n)
    if job.swap:
        between = distance_of(to_positive, difference_total(to_positive, p, q, eps, n), p, q, eps, n)
    if not pick_negative(job, job.margin, positive, negative, between, &share, &job.value[row]):
        clear_gradients(job, row, sizeof(real))
        return
    if not job.wanted:
        return
    set_gradient_of_norm(&to_positive, positive, a, p, eps, n)
    set_gradient_of_norm(&to_negative, negative, a, q, eps, n)
    c_positive = scale_of(job, row) * to_positive.coefficient
    c_negative = scale_of(job, row) * share * to_negative.coefficient
    if share != 1.0:
        set_gradient_of_norm(&swapped, between, p, q, eps, n)
        c_swapped = scale_of(job, row) * (1.0 - share) * swapped.coefficient
    elif Norm is EuclideanNorm or Norm is SquaredEuclidean:
        narrow = (is_ordinary(positive) and is_ordinary(negative) and is_ordinary(c_positive)
                  and is_ordinary(c_negative))
    if not job.stage:
        triplet_difference(to_positive, to_negative, swapped, a, p, q, grad_a, grad_p, grad_q, c_positive,
                           c_negative, c_swapped, eps, narrow, n)
        return
    while start < n:
        size = min(<Py_ssize_t>BLOCK, n - start)
        memcpy(copy_a, a + start, size * sizeof(real))
        memcpy(copy_p, p + start, size * sizeof(real))
        memcpy(copy_q, q + start, size * sizeof(real))
        triplet_difference(to_positive, to_negative, swapped, <const real*>copy_a, <const real*>copy_p,
                           <const real*>copy_q, row_from(grad_a, start), row_from(grad_p, start),
                           row_from(grad_q, start), c_positive, c_negative, c_swapped, eps, narrow, size)
        start += size


cdef inline Cosine clamped_cosine(const double* total, double eps) noexcept nogil:
    return cosine_of_clamped_norms(total[0], total[1], total[2], eps)


cdef void triplet_cosine(const real* tag, const Job* job, Py_ssize_t row) noexcept nogil:
    """Distances 1 - cosine. The gradient of each input is a combination of all three."""
    cdef const real* a = input_row(job, 0, row, <real>0)
    cdef const real* p = input_row(job, 1, row, <real>0)
    cdef const real* q = input_row(job, 2, row, <real>0)
    cdef real* grad_a = grad_row(job, 0, row, <real>0)
    cdef real* grad_p = grad_row(job, 1, row, <real>0)
    cdef real* grad_q = grad_row(job, 2, row, <real>0)
    cdef real[BLOCK] copy_a, copy_p, copy_q
    cdef double[3] ap, aq, pq, factor
    cdef double[9] c
    cdef Cosine positive, negative, between
    cdef double eps = job.eps, share, scale, k_a, k_p
    cdef Py_ssize_t n = job.columns, start = 0, size
    cdef int k
    factor[0] = factor[1] = factor[2] = 1.0
    products(a, p, n, ap)
    products(a, q, n, aq)
    if ap[1] > 1e140 or ap[2] > 1e140 or aq[2] > 1e140:     # products of squares would overflow
        factor[0] = factor_of(largest_element(a, <const real*>NULL, 0.0, n)) if ap[1] > 1e140 else 1.0
        factor[1] = factor_of(largest_element(p, <const real*>NULL, 0.0, n)) if ap[2] > 1e140 else 1.0
        factor[2] = factor_of(largest_element(q, <const real*>NULL, 0.0, n)) if aq[2] > 1e140 else 1.0
        ap[0] = scaled_product(a, p, factor[0], factor[1], n)
        aq[0] = scaled_product(a, q, factor[0], factor[2], n)
        ap[1] = aq[1] = scaled_product(a, a, factor[0], factor[0], n)
        ap[2] = scaled_product(p, p, factor[1], factor[1], n)
        aq[2] = scaled_product(q, q, factor[2], factor[2], n)
    positive = clamped_cosine(ap, eps)
    negative = clamped_cosine(aq, eps)
    between = negative
    if job.swap:
        pq[0] = scaled_product(p, q, factor[1], factor[2], n)
        pq[1] = ap[2]
        pq[2] = aq[2]
        between = clamped_cosine(pq, eps)
    if not pick_negative(job, job.margin, 1.0 - positive.value, 1.0 - negative.value, 1.0 - between.value, &share,
                         &job.value[row]):
        clear_gradients(job, row, sizeof(real))
        return
    if not job.wanted:
        return
    # value = margin - cos(a, p) + k_a cos(a, n) + k_p cos(p, n)
    scale = scale_of(job, row)
    k_a = scale * share
    k_p = scale * (1.0 - share)
    if share == 1.0:
        between.cross = 0.0
    c[0] = scale * positive.cross * positive.ratio_x - k_a * negative.cross * negative.ratio_x
    c[1] = -scale * positive.cross
    c[2] = k_a * negative.cross
    c[3] = -scale * positive.cross
    c[4] = scale * positive.cross * positive.ratio_y - k_p * between.cross * between.ratio_x
    c[5] = k_p * between.cross
    c[6] = k_a * negative.cross
    c[7] = k_p * between.cross
    c[8] = -k_a * negative.cross * negative.ratio_y - k_p * between.cross * between.ratio_y
    for k in range(9):
        c[k] *= factor[k // 3]
    if not job.stage:
        triplet_combination(a, p, q, grad_a, grad_p, grad_q, c, factor, n)
        return
    while start < n:
        size = min(<Py_ssize_t>BLOCK, n - start)
        memcpy(copy_a, a + start, size * sizeof(real))
        memcpy(copy_p, p + start, size * sizeof(real))
        memcpy(copy_q, q + start, size * sizeof(real))
        triplet_combination(<const real*>copy_a, <const real*>copy_p, <const real*>copy_q, row_from(grad_a, start),
                            row_from(grad_p, start), row_from(grad_q, start), c, factor, size)
        start += size


cdef inline Cosine cosine_of_rows(const real* x, const real* y, double added, Py_ssize_t n,
                                  double* factor) noexcept nogil:
    """The cosine, with the factors that the rows were multiplied by to keep it in range (added = 0 for tiny ones)."""
    cdef double[3] total
    cdef double product, square_x, square_y
    factor[0] = factor[1] = 1.0
    products(x, y, n, total)
    square_x = total[1] + added
    square_y = total[2] + added
    product = square_x * square_y
    if out_of_range(product) or out_of_range(square_x) or out_of_range(square_y):
        factor[0] = factor_of(largest_element(x, <const real*>NULL, 0.0, n))
        factor[1] = factor_of(largest_element(y, <const real*>NULL, 0.0, n))
        if factor[0] > 1.0 and added > 0.0:     # the constant decides about small rows: leave them as they are
            factor[0] = 1.0
        if factor[1] > 1.0 and added > 0.0:
            factor[1] = 1.0
        total[0] = scaled_product(x, y, factor[0], factor[1], n)
        square_x = scaled_product(x, x, factor[0], factor[0], n) + added * factor[0] * factor[0]
        square_y = scaled_product(y, y, factor[1], factor[1], n) + added * factor[1] * factor[1]
    return cosine_of_squares(total[0], square_x, square_y)


cdef inline void pair_cosine_gradients(const real* tag, const Job* job, Py_ssize_t row, Cosine cosine, double slope,
                                       const double* factor) noexcept nogil:
    """The gradients of slope * cosine."""
    cdef const real* x = input_row(job, 0, row, <real>0)
    cdef const real* y = input_row(job, 1, row, <real>0)
    cdef real* grad_x = grad_row(job, 0, row, <real>0)
    cdef real* grad_y = grad_row(job, 1, row, <real>0)
    cdef real[BLOCK] copy_x, copy_y
    cdef double c = slope * cosine.cross
    cdef Py_ssize_t n = job.columns, start = 0, size
    if not job.stage:
        pair_residuals(x, y, grad_x, grad_y, c, cosine.ratio_x, cosine.ratio_y, factor[0], factor[1], n)
        return
    while start < n:
        size = min(<Py_ssize_t>BLOCK, n - start)
        memcpy(copy_x, x + start, size * sizeof(real))
        memcpy(copy_y, y + start, size * sizeof(real))
        pair_residuals(<const real*>copy_x, <const real*>copy_y, row_from(grad_x, start), row_from(grad_y, start), c,
                       cosine.ratio_x, cosine.ratio_y, factor[0], factor[1], size)
        start += size


cdef void cosine_embedding(const real* tag, const Job* job, Py_ssize_t row) noexcept nogil:
    """1 - c for label 1, max(c - margin, 0) for label -1, 0 for any other (which only check=False lets through)."""
    cdef double[2] factor
    cdef double label = job.target[row], hinge, slope
    cdef Cosine cosine
    cosine = cosine_of_rows(input_row(job, 0, row, <real>0), input_row(job, 1, row, <real>0), job.eps, job.columns,
                            factor)
    if label == 1.0:
        job.value[row] = 1.0 - cosine.value
        slope = -1.0
    elif label == -1.0:
        hinge = cosine.value - job.margin
        job.value[row] = 0.0 if hinge < 0.0 else hinge
        slope = 0.0 if hinge < 0.0 else 1.0         # at 0 it flows, as in PyTorch
    else:
        job.value[row] = label if label != label else 0.0
        slope = job.value[row]
    if not job.wanted:
        return
    if slope == 0.0:
        clear_gradients(job, row, sizeof(real))
    else:
        pair_cosine_gradients(tag, job, row, cosine, slope * scale_of(job, row), factor)


cdef void cosine_similarity(const real* tag, const Job* job, Py_ssize_t row) noexcept nogil:
    cdef double[2] factor
    cdef Cosine cosine
    cosine = cosine_of_rows(input_row(job, 0, row, <real>0), input_row(job, 1, row, <real>0), 0.0, job.columns,
                            factor)
    job.value[row] = 0.0 - cosine.value
    if not job.wanted:
        return
    if cosine.cross == 0.0:     # a zero vector
        clear_gradients(job, row, sizeof(real))
    else:
        pair_cosine_gradients(tag, job, row, cosine, -scale_of(job, row), factor)


cdef void contrastive(const real* tag, const Job* job, Py_ssize_t row) noexcept nogil:
    """t d^2 + (1 - t) max(margin - d, 0)^2."""
    cdef const real* x = input_row(job, 0, row, <real>0)
    cdef const real* y = input_row(job, 1, row, <real>0)
    cdef real* grad_x = grad_row(job, 0, row, <real>0)
    cdef real* grad_y = grad_row(job, 1, row, <real>0)
    cdef real[BLOCK] copy_x, copy_y
    cdef EuclideanNorm norm
    cdef double label = job.target[row], total, distance, hinge, c
    cdef Py_ssize_t n = job.columns, start = 0, size
    total = difference_total(norm, x, y, 0.0, n)
    distance = distance_of(norm, total, x, y, 0.0, n)
    hinge = job.margin - distance
    if hinge < 0.0:
        hinge = 0.0
    job.value[row] = 0.0
    c = 0.0
    if label != 0.0:            # a term with coefficient 0 is not there, whatever the distance
        job.value[row] += label * total
        c += 2.0 * label
    if label != 1.0:
        job.value[row] += (1.0 - label) * (hinge * hinge)
        norm.set_distance(distance)
        c -= 2.0 * (1.0 - label) * hinge * norm.coefficient
    if not job.wanted:
        return
    if c == 0.0:
        clear_gradients(job, row, sizeof(real))
        return
    c *= scale_of(job, row)
    if not job.stage:
        pair_difference(x, y, grad_x, grad_y, c, n)
        return
    while start < n:
        size = min(<Py_ssize_t>BLOCK, n - start)
        memcpy(copy_x, x + start, size * sizeof(real))
        memcpy(copy_y, y + start, size * sizeof(real))
        pair_difference(<const real*>copy_x, <const real*>copy_y, row_from(grad_x, start), row_from(grad_y, start), c,
                        size)
        start += size


# ---- kernels through one signature -------------------------------------------------------------------------------

ctypedef void (*TaggedNormKernel)(const void* kind, const void* tag, const Job* job, Py_ssize_t row) noexcept nogil
ctypedef void (*TaggedKernel)(const void* tag, const Job* job, Py_ssize_t row) noexcept nogil

cdef struct KernelPair:
    TaggedKernel float32
    TaggedKernel float64
    TaggedNormKernel norm32
    TaggedNormKernel norm64
    double cost             # nanoseconds per element of an input

cdef KernelPair[9] _kernels
cdef dict _index = {}


cdef void register_norm(const Norm* kind, str name, double cost) except *:
    cdef KernelPair* entry = &_kernels[len(_index)]
    entry.float32 = entry.float64 = NULL
    entry.norm32 = <TaggedNormKernel>triplet[Norm, float]
    entry.norm64 = <TaggedNormKernel>triplet[Norm, double]
    entry.cost = cost
    _index[name] = len(_index)


cdef void register(TaggedKernel float32, TaggedKernel float64, str name, double cost) except *:
    cdef KernelPair* entry = &_kernels[len(_index)]
    entry.float32 = float32
    entry.float64 = float64
    entry.norm32 = entry.norm64 = NULL
    entry.cost = cost
    _index[name] = len(_index)


register_norm[EuclideanNorm](NULL, "TripletEuclidean", 0.4)
register_norm[SquaredEuclidean](NULL, "TripletSquaredEuclidean", 0.4)
register_norm[ManhattanNorm](NULL, "TripletManhattan", 0.5)
register_norm[ChebyshevNorm](NULL, "TripletChebyshev", 0.8)
register_norm[MinkowskiNorm](NULL, "TripletMinkowski", 8.0)
register(<TaggedKernel>triplet_cosine[float], <TaggedKernel>triplet_cosine[double], "TripletCosine", 0.6)
register(<TaggedKernel>cosine_embedding[float], <TaggedKernel>cosine_embedding[double], "CosineEmbedding", 0.3)
register(<TaggedKernel>cosine_similarity[float], <TaggedKernel>cosine_similarity[double], "CosineSimilarity", 0.3)
register(<TaggedKernel>contrastive[float], <TaggedKernel>contrastive[double], "Contrastive", 0.3)


# ---- the driver: any kernel --------------------------------------------------------------------------------------

cdef void run_rows(const Job* job, const KernelPair* kernel, bint wide, Py_ssize_t start,
                   Py_ssize_t stop) noexcept nogil:
    """Rows start to stop. Nothing here depends on which thread runs it or when."""
    cdef TaggedKernel plain = kernel.float64 if wide else kernel.float32
    cdef TaggedNormKernel norm = kernel.norm64 if wide else kernel.norm32
    cdef size_t item = sizeof(double) if wide else sizeof(float)
    cdef Py_ssize_t row
    for row in range(start, stop):
        if job.mask != NULL and job.mask[row] == 0:
            job.value[row] = 0.0
            clear_gradients(job, row, item)
        elif norm != NULL:
            norm(NULL, NULL, job, row)
        else:
            plain(NULL, job, row)


def run(str name, list inputs, list grads, cnp.ndarray value, *, double margin, double degree=2.0, double eps=0.0,
        bint swap=False, target=None, scale=1.0, mask=None, bint stage=False, double isa_factor=1.0):
    """Compute the values, and the gradients times `scale`, of rows that ``losslib.geometries.distance`` has laid out.

    Parameters
    ----------
    name
        The kernel.
    inputs
        Arrays of shape (rows, columns), all float32 or all float64, with contiguous columns.
    grads
        For each input an array of the same shape and type, or None.
    value
        Float64, one number a row.
    target, mask
        Float64 and bool, one number a row, or None.
    scale
        A number, or a float64 array with one number a row.
    stage
        True if a gradient may lie on an input.
    """
    cdef Job job
    cdef KernelPair* kernel = &_kernels[<int>_index[name]]
    cdef cnp.ndarray first = inputs[0], array
    cdef bint wide = cnp.PyArray_TYPE(first) == cnp.NPY_DOUBLE
    cdef int k
    job.rows = cnp.PyArray_DIMS(first)[0]
    job.columns = cnp.PyArray_DIMS(first)[1]
    job.wanted = False
    for k in range(3):
        job.input[k] = NULL
        job.grad[k] = NULL
        job.input_stride[k] = job.grad_stride[k] = 0
    for k in range(len(inputs)):
        array = inputs[k]
        job.input[k] = <const char*>cnp.PyArray_DATA(array)
        job.input_stride[k] = cnp.PyArray_STRIDES(array)[0]
        if grads[k] is not None:
            array = grads[k]
            job.grad[k] = <char*>cnp.PyArray_DATA(array)
            job.grad_stride[k] = cnp.PyArray_STRIDES(array)[0]
            job.wanted = True
    job.value = <double*>cnp.PyArray_DATA(value)
    job.target = NULL
    if target is not None:
        job.target = <const double*>cnp.PyArray_DATA(<cnp.ndarray>target)
    job.mask = NULL
    if mask is not None:
        job.mask = <const unsigned char*>cnp.PyArray_DATA(<cnp.ndarray>mask)
    job.scale = NULL
    job.factor = 1.0
    if cnp.PyArray_Check(scale):
        job.scale = <const double*>cnp.PyArray_DATA(<cnp.ndarray>scale)
    else:
        job.factor = scale
    job.stage = stage
    job.margin = margin
    job.degree = degree
    job.eps = eps
    job.swap = swap
    execute(&job, kernel, wide, isa_factor)


cdef void execute(Job* job, const KernelPair* kernel, bint wide, double isa_factor) noexcept:
    """Run the job; its size decides about threads and GIL."""
    cdef int width = 1
    cdef Py_ssize_t chunk, chunks, elements, i
    cdef double cost
    cdef FloatMode mode = get_float_mode()
    elements = job.rows * job.columns
    if elements <= SMALL:
        run_rows(job, kernel, wide, 0, job.rows)
        return
    chunk = max(<Py_ssize_t>1, TASK // max(<Py_ssize_t>1, job.columns))
    chunks = (job.rows + chunk - 1) // chunk
    cost = kernel.cost * isa_factor * <double>elements * (2.0 if wide else 1.0) * (1.0 if job.wanted else 0.5)
    with nogil:
        if chunks > 1:
            width = _gate.begin(cost)
        if width == 1:
            run_rows(job, kernel, wide, 0, job.rows)
        else:
            for i in prange(count_runs(chunks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                run_rows(job, kernel, wide, chunk * first_task(i, chunks, width),
                         min(chunk * first_task(i + 1, chunks, width), job.rows))
            _gate.end()


# ---- plain calls ---------------------------------------------------------------------------------------------------

cdef class Quick:
    """Answers the calls of one loss object on plain arrays without options.

    It returns NotImplemented for every other call, and for labels outside their domain, which
    ``losslib.geometries.distance`` then answers or complains about.

    Parameters
    ----------
    kernel, numbers
        The kernel, and its margin, degree, eps and swap.
    positions : tuple of int
        The inputs that are differentiated unless a call says otherwise.
    labels : tuple or None
        The two labels that are allowed, () where labels are not checked, or None for a loss without labels.
    mean : bool
        Whether the values are averaged; else they are added up.
    """

    cdef const KernelPair* kernel
    cdef double margin, degree, eps, isa_factor
    cdef bint swap, mean, labelled, check
    cdef double[2] labels
    cdef tuple positions

    def __cinit__(self, str kernel, tuple numbers, tuple positions, labels, bint mean, double isa_factor):
        self.kernel = &_kernels[<int>_index[kernel]]
        self.margin, self.degree, self.eps, self.swap = numbers
        self.positions = positions
        self.labelled = labels is not None
        self.check = bool(labels)
        if self.check:
            self.labels[0], self.labels[1] = labels
        self.mean = mean
        self.isa_factor = isa_factor

    def __call__(self, int mode, tuple args, out):
        cdef Job job
        cdef object first = args[0], array
        cdef Py_ssize_t count = len(args) - 1 if self.labelled else len(args)      # vectors
        cdef tuple grads = ()
        cdef double* numbers = NULL
        cdef double total, divisor = 1.0
        cdef Py_ssize_t k
        cdef int type_number, ndim
        if mode == VALUE_GRAD_AND_HESS or not cnp.PyArray_CheckExact(first):
            return NotImplemented
        type_number = cnp.PyArray_TYPE(<cnp.ndarray>first)
        ndim = cnp.PyArray_NDIM(<cnp.ndarray>first)
        if (type_number != cnp.NPY_FLOAT and type_number != cnp.NPY_DOUBLE) or ndim == 0:
            return NotImplemented
        job.columns = cnp.PyArray_DIM(<cnp.ndarray>first, ndim - 1)
        if cnp.PyArray_SIZE(<cnp.ndarray>first) == 0:
            return NotImplemented
        job.rows = cnp.PyArray_SIZE(<cnp.ndarray>first) // job.columns
        for k in range(3):
            job.input[k] = NULL
            job.grad[k] = NULL
            job.input_stride[k] = job.grad_stride[k] = job.columns * cnp.PyArray_ITEMSIZE(<cnp.ndarray>first)
        for k in range(count):
            array = args[k]
            if not is_plain(array, type_number) or not same_shape(first, array):
                return NotImplemented
            job.input[k] = <const char*>cnp.PyArray_DATA(<cnp.ndarray>array)
        if mode != VALUE:
            grads = self.outputs(args, out, type_number)
            if grads is None:
                return NotImplemented
            for k in range(len(grads)):
                job.grad[<int>self.positions[k]] = <char*>cnp.PyArray_DATA(<cnp.ndarray>grads[k])
        elif out is not None:
            return NotImplemented

        if self.mean:
            divisor = <double>job.rows
        job.wanted = mode != VALUE
        job.stage = False
        job.mask = NULL
        job.scale = NULL
        job.factor = 1.0 / divisor
        job.margin = self.margin
        job.degree = self.degree
        job.eps = self.eps
        job.swap = self.swap
        numbers = <double*>malloc((2 if self.labelled else 1) * job.rows * sizeof(double))
        if numbers == NULL:
            raise MemoryError(f"no memory for the values of {job.rows} rows")
        job.value = numbers
        job.target = numbers + job.rows if self.labelled else NULL
        if self.labelled and not self.read_labels(args[count], first, numbers + job.rows, job.rows):
            free(numbers)
            return NotImplemented
        execute(&job, self.kernel, type_number == cnp.NPY_DOUBLE, self.isa_factor)
        total = sum_block(<const double*>numbers, job.rows)
        free(numbers)

        array = None
        if mode != VALUE:
            array = grads if len(grads) > 1 else grads[0]
        if mode == GRAD:
            return array
        return total / divisor if mode == VALUE else (total / divisor, array)

    cdef tuple outputs(self, tuple args, object out, int type_number):
        """Return the arrays for the gradients, or None if `out` is for others to judge."""
        cdef object first = args[0], array
        cdef Py_ssize_t k
        if out is None:
            return tuple([new_like(first, type_number) for _ in range(len(self.positions))])
        if len(self.positions) == 1:
            out = (out,)
        if not isinstance(out, tuple) or len(<tuple>out) != len(self.positions):
            return None
        for k in range(len(<tuple>out)):
            array = (<tuple>out)[k]
            if not is_plain(array, type_number) or not same_shape(first, array):
                return None
            if not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>array):
                return None
            if overlaps_any(array, args) or overlaps_any(array, (<tuple>out)[k + 1:]):
                return None
        return <tuple>out

    cdef bint read_labels(self, object array, object first, double* labels, Py_ssize_t rows) noexcept:
        """Copy the labels; return False if they have another form, or one lies outside the domain. NaN does not."""
        cdef int type_number
        cdef const char* data
        cdef Py_ssize_t row
        cdef bint bad = False
        if not cnp.PyArray_CheckExact(array) or not is_row_shape(array, first):
            return False
        type_number = cnp.PyArray_TYPE(<cnp.ndarray>array)
        if not is_plain(array, type_number):
            return False
        data = <const char*>cnp.PyArray_DATA(<cnp.ndarray>array)
        if type_number == cnp.NPY_FLOAT:
            for row in range(rows):
                labels[row] = (<const float*>data)[row]
        elif type_number == cnp.NPY_DOUBLE:
            for row in range(rows):
                labels[row] = (<const double*>data)[row]
        elif type_number == cnp.NPY_INT64:
            for row in range(rows):
                labels[row] = <double>(<const int64_t*>data)[row]
        else:
            return False
        if self.check:
            for row in range(rows):
                bad |= (labels[row] != self.labels[0]) & (labels[row] != self.labels[1]) & (labels[row] == labels[row])
        return not bad


def kernels():
    """Return the names of the kernels."""
    return tuple(_index)
