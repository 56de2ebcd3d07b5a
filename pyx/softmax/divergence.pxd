"""Divergences of the softmax of two rows of logits: Jensen-Shannon and distillation.

A row is computed as a column of sixteen lanes, and so are sixteen samples of a tile (``columns.h``).
"""

from blocks cimport real
from softmax.call cimport Rows, scale_of
from softmax.soft_tiles cimport SoftTile, close_tile, open_tile

cdef extern from "losslib/softmax/divergence.h" namespace "losslib" nogil:
    cppclass DivergenceOfTarget:
        pass
    cppclass DivergenceOfInput:
        pass
    cppclass MoreOfInput "losslib::DivergenceOfBoth<false>":
        double beta
    cppclass MoreOfTarget "losslib::DivergenceOfBoth<true>":
        double beta

cdef extern from "losslib/softmax/columns.h" namespace "losslib" nogil:
    void divergence_tile[L, T](const L& loss, Py_ssize_t lanes, Py_ssize_t classes, Py_ssize_t width, double inverse,
                               T* x, const T* t, const double* scale, bint want_grad, double* value)
    double divergence_row[L, T](const L& loss, Py_ssize_t classes, double inverse, T* x, T* t, T* grad, double scale,
                                double* work)


cdef inline double row_jensen_shannon(const double* beta, const Rows* rows, Py_ssize_t sample, real* x, real* t,
                                      real* e, real* q, real* h) noexcept nogil:
    cdef DivergenceOfTarget of_target
    cdef DivergenceOfInput of_input
    cdef MoreOfInput more_of_input
    cdef MoreOfTarget more_of_target
    cdef double scale = scale_of(rows, sample)
    cdef double* work = <double*>q
    if not rows.want_grad:
        e = NULL
    if beta[0] == 0.0:
        return divergence_row(of_target, rows.classes, 1.0, x, t, e, scale, work)
    if beta[0] == 1.0:
        return divergence_row(of_input, rows.classes, 1.0, x, t, e, scale, work)
    if beta[0] > 0.5:
        more_of_target.beta = beta[0]
        return divergence_row(more_of_target, rows.classes, 1.0, x, t, e, scale, work)
    more_of_input.beta = beta[0]
    return divergence_row(more_of_input, rows.classes, 1.0, x, t, e, scale, work)


cdef inline double row_distillation(const double* temperature, const Rows* rows, Py_ssize_t sample, real* x, real* t,
                                    real* e, real* q, real* h) noexcept nogil:
    """The divergence from the target at a temperature, times its square; of the gradient one factor is left."""
    cdef DivergenceOfTarget loss
    cdef double heat = temperature[0]
    return heat * heat * divergence_row(loss, rows.classes, 1.0 / heat, x, t, e if rows.want_grad else <real*>NULL,
                                        scale_of(rows, sample) * heat, <double*>q)


cdef inline void tile_jensen_shannon(const double* beta, const Rows* rows, Py_ssize_t first, Py_ssize_t n,
                                     Py_ssize_t lanes, real* x) noexcept nogil:
    cdef DivergenceOfTarget of_target
    cdef DivergenceOfInput of_input
    cdef MoreOfInput more_of_input
    cdef MoreOfTarget more_of_target
    cdef SoftTile[real] tile
    open_tile(rows, first, n, lanes, x, &tile)
    if beta[0] == 0.0:
        divergence_tile(of_target, lanes, rows.classes, tile.width, 1.0, x, <const real*>tile.target, tile.scale,
                        rows.want_grad, tile.value)
    elif beta[0] == 1.0:
        divergence_tile(of_input, lanes, rows.classes, tile.width, 1.0, x, <const real*>tile.target, tile.scale,
                        rows.want_grad, tile.value)
    elif beta[0] > 0.5:
        more_of_target.beta = beta[0]
        divergence_tile(more_of_target, lanes, rows.classes, tile.width, 1.0, x, <const real*>tile.target, tile.scale,
                        rows.want_grad, tile.value)
    else:
        more_of_input.beta = beta[0]
        divergence_tile(more_of_input, lanes, rows.classes, tile.width, 1.0, x, <const real*>tile.target, tile.scale,
                        rows.want_grad, tile.value)
    close_tile(rows, first, n, lanes, x, &tile)


cdef inline void tile_distillation(const double* temperature, const Rows* rows, Py_ssize_t first, Py_ssize_t n,
                                   Py_ssize_t lanes, real* x) noexcept nogil:
    cdef DivergenceOfTarget loss
    cdef SoftTile[real] tile
    cdef double heat = temperature[0]
    cdef Py_ssize_t j
    open_tile(rows, first, n, lanes, x, &tile)
    for j in range(tile.width):
        tile.scale[j] *= heat
    divergence_tile(loss, lanes, rows.classes, tile.width, 1.0 / heat, x, <const real*>tile.target, tile.scale,
                    rows.want_grad, tile.value)
    for j in range(tile.width):
        tile.value[j] *= heat * heat
    close_tile(rows, first, n, lanes, x, &tile)
