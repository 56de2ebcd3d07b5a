"""Cross entropy by distance from the class, for few classes: samples are the lanes of a tile."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from blocks cimport real
from softmax.call cimport Rows, is_class, read_raw, scale_of
from softmax.ordered cimport distance_weight
from softmax.tile cimport LANES, TILE_CLASSES, load_tile, store_tile

cdef extern from "losslib/softmax/distances.h" namespace "losslib" nogil:
    struct DistanceTile:
        pass
    void class_distances[T](T* tile, Py_ssize_t lanes, Py_ssize_t classes, Py_ssize_t width, const double* weights,
                            const int64_t* target, const double* scale, bint want_grad, double* value,
                            DistanceTile& work)


cdef inline void tile_class_distance(const double* numbers, const Rows* rows, Py_ssize_t first, Py_ssize_t n,
                                     Py_ssize_t lanes, real* tile) noexcept nogil:
    """Values and gradients of the samples first … first + n, which stand at a constant distance in every array."""
    cdef Py_ssize_t classes = rows.classes, width = (n + 15) // 16 * 16, j, c
    cdef int64_t[LANES] index, target
    cdef double[LANES] value, weight, scale
    cdef bint[LANES] counted
    cdef double[2 * TILE_CLASSES] by_distance
    cdef DistanceTile work
    for c in range(2 * classes - 1):
        by_distance[c] = distance_weight(c, classes - 1, numbers[0])
    load_tile(rows, first, n, lanes, tile)
    read_raw(rows, first, n, index)
    for j in range(width):
        target[j] = index[j] if j < n and is_class(index[j], classes) else 0
        weight[j] = rows.class_weight[target[j]] if rows.class_weight != NULL else 1.0
        scale[j] = scale_of(rows, first + j) * weight[j] if j < n else 0.0
    class_distances(tile, lanes, classes, width, by_distance, target, scale, rows.want_grad, value, work)
    for j in range(n):
        counted[j] = ((rows.keep == NULL or rows.keep[first + j] != 0)
                      and not (rows.ignoring and index[j] == rows.ignored))
        value[j] = value[j] * weight[j] if counted[j] else 0.0
    if rows.values != NULL:
        memcpy(rows.values + first, value, n * sizeof(double))
    if not rows.want_grad:
        return
    for j in range(n):
        if not counted[j]:
            for c in range(classes):
                tile[c * lanes + j] = 0     # whatever stood there, even NaN
    store_tile(rows, first, n, lanes, <const real*>tile)
