"""Kernels of three rows: anchor a, positive p, negative q. The gradient of each depends on the sums of both pairs."""

from libc.math cimport fabs
from libc.string cimport memcpy

from blocks cimport real, row_from
from distance.call cimport BLOCK, Job, clear_gradients, grad_row, input_row, scale_of
from distance.gradients cimport is_ordinary, triplet_combination, triplet_difference
from distance.pairs cimport Cosine
from distance.sums cimport (
    ChebyshevNorm, EuclideanNorm, MinkowskiNorm, Norm, SquaredEuclidean, difference_total, distance_of, factor_of,
    largest_element, products, scaled_product, two_difference_totals,
)

cdef extern from "losslib/distance/cosine.h" namespace "losslib" nogil:
    Cosine cosine_of_clamped_norms(double dot, double square_x, double square_y, double eps)

cdef extern from "losslib/distance/range.h" namespace "losslib" nogil:
    bint is_huge_square(double square)

cdef extern from "losslib/distance/triplets.h" namespace "losslib" nogil:
    cppclass TripletHinge:
        double value
        double share
        bint flows
    TripletHinge triplet_hinge(double margin, double positive, double negative, bint swap, double swapped)
    cppclass CosineTriplet:
        void combine(Cosine positive, Cosine negative, Cosine between, double share, double scale, double* c)


# ---- norms of the difference -------------------------------------------------------------------------------------

cdef inline void set_gradient_of_norm(Norm* norm, double distance, const real* x, const real* y, double eps,
                                      Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, count = 0
    cdef double total = 0.0
    norm.set_distance(distance)
    if Norm is ChebyshevNorm:
        for i in range(n):
            count += fabs(<double>x[i] - <double>y[i] + eps) == distance
        norm.coefficient = 1.0 / <double>(count if count > 0 else 1)
    elif Norm is MinkowskiNorm:
        if norm.is_steep() and distance != 0.0:
            norm.set_largest(largest_element(x, y, eps, n))
            for i in range(n):
                total += norm.term(<double>x[i] - <double>y[i] + eps)
            norm.set_total(total)


cdef inline void triplet_by_norm(Norm kind, const Job* job, Py_ssize_t row, const real* tag) noexcept nogil:
    cdef const real* a = input_row(job, 0, row, <real>0)
    cdef const real* p = input_row(job, 1, row, <real>0)
    cdef const real* q = input_row(job, 2, row, <real>0)
    cdef real* grad_a = grad_row(job, 0, row, <real>0)
    cdef real* grad_p = grad_row(job, 1, row, <real>0)
    cdef real* grad_q = grad_row(job, 2, row, <real>0)
    cdef real[BLOCK] copy_a, copy_p, copy_q
    cdef Norm to_positive, to_negative, swapped
    cdef TripletHinge hinge
    cdef double[2] total
    cdef double eps = job.eps, positive, negative, between = 0.0, c_positive, c_negative, c_swapped = 0.0
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
    hinge = triplet_hinge(job.margin, positive, negative, job.swap, between)
    job.value[row] = hinge.value
    if not hinge.flows:
        clear_gradients(job, row, sizeof(real))
        return
    if not job.wanted:
        return
    set_gradient_of_norm(&to_positive, positive, a, p, eps, n)
    set_gradient_of_norm(&to_negative, negative, a, q, eps, n)
    c_positive = scale_of(job, row) * to_positive.coefficient
    c_negative = scale_of(job, row) * hinge.share * to_negative.coefficient
    if hinge.share != 1.0:
        set_gradient_of_norm(&swapped, between, p, q, eps, n)
        c_swapped = scale_of(job, row) * (1.0 - hinge.share) * swapped.coefficient
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


# ---- cosines -----------------------------------------------------------------------------------------------------

cdef inline Cosine clamped_cosine(const double* total, double eps) noexcept nogil:
    return cosine_of_clamped_norms(total[0], total[1], total[2], eps)


cdef inline void triplet_by_cosine(CosineTriplet loss, const Job* job, Py_ssize_t row, const real* tag) noexcept nogil:
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
    cdef TripletHinge hinge
    cdef double eps = job.eps
    cdef Py_ssize_t n = job.columns, start = 0, size
    cdef int k
    factor[0] = factor[1] = factor[2] = 1.0
    products(a, p, n, ap)
    products(a, q, n, aq)
    if is_huge_square(ap[1]) or is_huge_square(ap[2]) or is_huge_square(aq[2]):
        factor[0] = factor_of(largest_element(a, <const real*>NULL, 0.0, n)) if is_huge_square(ap[1]) else 1.0
        factor[1] = factor_of(largest_element(p, <const real*>NULL, 0.0, n)) if is_huge_square(ap[2]) else 1.0
        factor[2] = factor_of(largest_element(q, <const real*>NULL, 0.0, n)) if is_huge_square(aq[2]) else 1.0
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
    hinge = triplet_hinge(job.margin, 1.0 - positive.value, 1.0 - negative.value, job.swap, 1.0 - between.value)
    job.value[row] = hinge.value
    if not hinge.flows:
        clear_gradients(job, row, sizeof(real))
        return
    if not job.wanted:
        return
    loss.combine(positive, negative, between, hinge.share, scale_of(job, row), c)
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
