"""Kernels of two rows: the sums of a row, value and slope from them, gradients while the row is in the first cache."""

from libc.string cimport memcpy

from blocks cimport real, row_from
from distance.call cimport BLOCK, Job, clear_gradients, grad_row, input_row, scale_of
from distance.gradients cimport pair_difference, pair_residuals
from distance.sums cimport (
    EuclideanNorm, difference_total, distance_of, factor_of, largest_element, out_of_range, products, scaled_product,
)

cdef extern from "losslib/distance/cosine.h" namespace "losslib" nogil:
    cppclass Cosine:
        double value
        double cross
        double ratio_x
        double ratio_y
    Cosine cosine_of_squares(double dot, double square_x, double square_y)

cdef extern from "losslib/distance/pairs.h" namespace "losslib" nogil:
    cppclass RowJet:
        double value
        double slope
    cppclass CosineEmbedding:
        double added(double eps)
        RowJet at(double cosine, double label, double margin)
        bint is_flat(Cosine cosine, double slope)
    cppclass CosineSimilarity:
        double added(double eps)
        RowJet at(double cosine, double label, double margin)
        bint is_flat(Cosine cosine, double slope)
    cppclass Contrastive:
        RowJet at(double square, double distance, double label, double margin)

ctypedef fused LossOfCosine:
    CosineEmbedding
    CosineSimilarity


cdef inline double label_of(const Job* job, Py_ssize_t row) noexcept nogil:
    return 0.0 if job.target == NULL else job.target[row]


# ---- cosines -----------------------------------------------------------------------------------------------------

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


cdef inline void pair_by_cosine(LossOfCosine loss, const Job* job, Py_ssize_t row, const real* tag) noexcept nogil:
    cdef double[2] factor
    cdef Cosine cosine
    cdef RowJet jet
    cosine = cosine_of_rows(input_row(job, 0, row, <real>0), input_row(job, 1, row, <real>0), loss.added(job.eps),
                            job.columns, factor)
    jet = loss.at(cosine.value, label_of(job, row), job.margin)
    job.value[row] = jet.value
    if not job.wanted:
        return
    if loss.is_flat(cosine, jet.slope):
        clear_gradients(job, row, sizeof(real))
    else:
        pair_cosine_gradients(tag, job, row, cosine, jet.slope * scale_of(job, row), factor)


# ---- Euclidean distances -----------------------------------------------------------------------------------------

cdef inline void pair_by_distance(Contrastive loss, const Job* job, Py_ssize_t row, const real* tag) noexcept nogil:
    cdef const real* x = input_row(job, 0, row, <real>0)
    cdef const real* y = input_row(job, 1, row, <real>0)
    cdef real* grad_x = grad_row(job, 0, row, <real>0)
    cdef real* grad_y = grad_row(job, 1, row, <real>0)
    cdef real[BLOCK] copy_x, copy_y
    cdef EuclideanNorm norm
    cdef RowJet jet
    cdef double square, c
    cdef Py_ssize_t n = job.columns, start = 0, size
    square = difference_total(norm, x, y, 0.0, n)
    jet = loss.at(square, distance_of(norm, square, x, y, 0.0, n), label_of(job, row), job.margin)
    job.value[row] = jet.value
    if not job.wanted:
        return
    if jet.slope == 0.0:
        clear_gradients(job, row, sizeof(real))
        return
    c = jet.slope * scale_of(job, row)
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
