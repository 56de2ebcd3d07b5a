"""Losses of few ordered classes against a class: samples are the lanes of a tile, and everything is float64."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from blocks cimport real
from softmax.call cimport Rows, is_class, read_raw, scale_of
from softmax.ordered cimport distance_weight
from softmax.tile cimport LANES, TILE_CLASSES, load_tile, store_tile

cdef extern from "losslib/softmax/ordered.h" namespace "losslib" nogil:
    struct OrderedTile:
        double* p
        double* part
    void class_distances(Py_ssize_t lanes, Py_ssize_t classes, Py_ssize_t width, const double* weights,
                         const int64_t* target, const double* scale, bint want_grad, double* value, OrderedTile& work)
    void earth_movers(Py_ssize_t lanes, Py_ssize_t classes, Py_ssize_t width, double r, bint root,
                      const int64_t* target, const double* scale, bint want_grad, double* value, OrderedTile& work)

cdef struct Samples:
    Py_ssize_t width           # lanes that are computed
    int64_t[LANES] index       # as given
    int64_t[LANES] target
    double[LANES] weight       # of the class
    double[LANES] scale        # of derivatives
    double[LANES] value


cdef inline void open_tile(const Rows* rows, Py_ssize_t first, Py_ssize_t n, Py_ssize_t lanes, real* tile,
                           double* wide, Samples* samples) noexcept nogil:
    """Read the samples first … first + n, which stand at a constant distance in every array."""
    cdef Py_ssize_t j, c
    cdef int64_t target
    samples.width = (n + 15) // 16 * 16
    load_tile(rows, &rows.input, first, n, lanes, tile)
    for c in range(rows.classes):
        for j in range(samples.width):
            wide[c * lanes + j] = <double>tile[c * lanes + j]
    read_raw(rows, first, n, samples.index)
    for j in range(LANES):
        target = samples.index[j] if j < n else 0
        samples.target[j] = target if is_class(target, rows.classes) else 0
        samples.weight[j] = rows.class_weight[samples.target[j]] if rows.class_weight != NULL else 1.0
        samples.scale[j] = scale_of(rows, first + j) * samples.weight[j] if j < n else 0.0


cdef inline void close_tile(const Rows* rows, Py_ssize_t first, Py_ssize_t n, Py_ssize_t lanes, real* tile,
                            double* wide, Samples* samples) noexcept nogil:
    """Write their values and gradients: 0 where a sample does not count, whatever was computed, even NaN."""
    cdef Py_ssize_t j, c
    for j in range(n):
        if ((rows.keep == NULL or rows.keep[first + j] != 0)
                and not (rows.ignoring and samples.index[j] == rows.ignored)):
            samples.value[j] *= samples.weight[j]
        else:
            samples.value[j] = 0.0
            for c in range(rows.classes):
                wide[c * lanes + j] = 0.0
    if rows.values != NULL:
        memcpy(rows.values + first, samples.value, n * sizeof(double))
    if rows.want_grad:
        for c in range(rows.classes):
            for j in range(samples.width):
                tile[c * lanes + j] = <real>wide[c * lanes + j]
        store_tile(rows, first, n, lanes, <const real*>tile)


cdef inline void tile_class_distance(const double* numbers, const Rows* rows, Py_ssize_t first, Py_ssize_t n,
                                     Py_ssize_t lanes, real* tile) noexcept nogil:
    cdef Py_ssize_t classes = rows.classes, c
    cdef double[2 * TILE_CLASSES] by_distance
    cdef Samples samples
    cdef OrderedTile work
    for c in range(2 * classes - 1):
        by_distance[c] = distance_weight(c, classes - 1, numbers[0])
    open_tile(rows, first, n, lanes, tile, work.p, &samples)
    class_distances(lanes, classes, samples.width, by_distance, samples.target, samples.scale, rows.want_grad,
                    samples.value, work)
    close_tile(rows, first, n, lanes, tile, work.part, &samples)


cdef inline void tile_earth_mover(const double* numbers, const Rows* rows, Py_ssize_t first, Py_ssize_t n,
                                  Py_ssize_t lanes, real* tile) noexcept nogil:
    cdef Samples samples
    cdef OrderedTile work
    open_tile(rows, first, n, lanes, tile, work.p, &samples)
    earth_movers(lanes, rows.classes, samples.width, numbers[0], numbers[1] != 0.0, samples.target,
                 samples.scale, rows.want_grad, samples.value, work)
    close_tile(rows, first, n, lanes, tile, work.part, &samples)
