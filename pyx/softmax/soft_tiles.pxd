"""Few classes against a row of the same classes: samples are the lanes of a tile, and everything is float64."""

from libc.string cimport memcpy

from blocks cimport real
from softmax.call cimport Rows, scale_of
from softmax.pick cimport AnyPick
from softmax.tile cimport LANES, TILE, load_tile, store_tile

cdef extern from "losslib/softmax/columns.h" namespace "losslib" nogil:
    # The target beside the logits, and what belongs to the samples.
    cppclass SoftTile[T]:
        T* target
        double* scale          # of derivatives
        double* value
        Py_ssize_t width       # lanes that are computed
    cppclass SoftOptions:
        const double* weight
        double keep
        double rest
        double z_loss
    void soft_tile[P, T](const P& loss, const SoftOptions& options, Py_ssize_t lanes, Py_ssize_t classes,
                         Py_ssize_t width, T* x, const T* t, const double* scale, bint want_grad, double* value)


cdef inline void open_tile(const Rows* rows, Py_ssize_t first, Py_ssize_t n, Py_ssize_t lanes, real* x,
                           SoftTile[real]* tile) noexcept nogil:
    """Read the samples first … first + n, which stand at a constant distance in every array."""
    cdef Py_ssize_t j
    tile.width = (n + 15) // 16 * 16
    load_tile(rows, &rows.input, first, n, lanes, x)
    load_tile(rows, &rows.target, first, n, lanes, <real*>tile.target)
    for j in range(n):
        tile.scale[j] = scale_of(rows, first + j)
    for j in range(n, tile.width):
        tile.scale[j] = 0.0


cdef inline void close_tile(const Rows* rows, Py_ssize_t first, Py_ssize_t n, Py_ssize_t lanes, real* x,
                            SoftTile[real]* tile) noexcept nogil:
    """Write their values and gradients: 0 where a sample does not count, whatever was computed, even NaN."""
    cdef Py_ssize_t j, c
    if rows.keep != NULL:
        for j in range(n):
            if not rows.keep[first + j]:
                tile.value[j] = 0.0
                if rows.want_grad:
                    for c in range(rows.classes):
                        x[c * lanes + j] = 0
    if rows.values != NULL:
        memcpy(rows.values + first, tile.value, n * sizeof(double))
    if rows.want_grad:
        store_tile(rows, first, n, lanes, <const real*>x)


cdef inline void tile_of_picks(const AnyPick* loss, const Rows* rows, Py_ssize_t first, Py_ssize_t n,
                               Py_ssize_t lanes, real* x) noexcept nogil:
    cdef SoftTile[real] tile
    cdef SoftOptions options
    options.weight = rows.class_weight
    options.keep = 1.0 - rows.smoothing
    options.rest = rows.smoothing / <double>rows.classes
    options.z_loss = rows.z_loss
    open_tile(rows, first, n, lanes, x, &tile)
    soft_tile(loss[0], options, lanes, rows.classes, tile.width, x, <const real*>tile.target, tile.scale,
              rows.want_grad, tile.value)
    close_tile(rows, first, n, lanes, x, &tile)
