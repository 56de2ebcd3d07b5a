"""Samples side by side as the lanes of a tile [class][lane], and how they get there and back.

A tile is filled from memory where the samples are neighbours (class axis 1 of an image), by transposing blocks of
four by four where the classes are, and element by element otherwise.
"""

from libc.string cimport memcpy, memset

from blocks cimport real, stream
from softmax.call cimport Rows, View, address

cdef extern from "losslib/simd/batch.h" namespace "losslib" nogil:
    void transpose_four[T](const T* source, Py_ssize_t source_step, T* target, Py_ssize_t target_step)

cdef enum:
    LANES = 128            # samples of a tile, at most: 8 cache lines of each class
    TILE = 4096            # numbers of a tile, at most: half of the first-level cache in float32
    TILE_CLASSES = 256     # classes up to which a tile has 16 lanes
    SOFT_CLASSES = 128     # the same for tiles of two inputs, which take twice the room


cdef inline Py_ssize_t lanes_for(Py_ssize_t classes) noexcept nogil:
    """Samples of a tile: a multiple of 16."""
    return min(<Py_ssize_t>LANES, TILE // classes // 16 * 16)


cdef inline Py_ssize_t step_of(const Rows* rows, const View* view) noexcept nogil:
    """Bytes from one sample of a tile to the next: all have one outer position, or are outer positions themselves."""
    return view.inner if rows.inner > 1 else view.outer


cdef inline void load_tile(const Rows* rows, const View* view, Py_ssize_t first, Py_ssize_t n, Py_ssize_t lanes,
                           real* tile) noexcept nogil:
    """Read n samples; the lanes that are left over in the last sixteen get zeros."""
    cdef const char* base = address(rows, view, first)
    cdef Py_ssize_t step = step_of(rows, view), down = view.classes, classes = rows.classes
    cdef Py_ssize_t c, j = 0, spare = (16 - n % 16) % 16
    if step == sizeof(real):
        for c in range(classes):
            memcpy(tile + c * lanes, base + c * down, n * sizeof(real))
        j = n
    elif down == sizeof(real) and classes >= 4:
        while j + 4 <= n:
            c = 0
            while c < classes:
                c = min(c, classes - 4)     # the last block may repeat classes
                transpose_four(<const real*>(base + j * step) + c, step, tile + c * lanes + j, lanes * sizeof(real))
                c += 4
            j += 4
    while j < n:
        for c in range(classes):
            tile[c * lanes + j] = (<const real*>(base + j * step + c * down))[0]
        j += 1
    if spare:
        for c in range(classes):
            memset(tile + c * lanes + n, 0, spare * sizeof(real))


cdef inline void store_tile(const Rows* rows, Py_ssize_t first, Py_ssize_t n, Py_ssize_t lanes,
                            const real* tile) noexcept nogil:
    cdef char* base = address(rows, &rows.grad, first)
    cdef Py_ssize_t step = step_of(rows, &rows.grad), down = rows.grad.classes, classes = rows.classes
    cdef Py_ssize_t c, j = 0
    if step == sizeof(real):
        if rows.streaming:
            for c in range(classes):
                stream(base + c * down, <const char*>(tile + c * lanes), n * sizeof(real))
        else:
            for c in range(classes):
                memcpy(base + c * down, tile + c * lanes, n * sizeof(real))
        return
    if down == sizeof(real) and classes >= 4:
        while j + 4 <= n:
            c = 0
            while c < classes:
                c = min(c, classes - 4)
                transpose_four(tile + c * lanes + j, lanes * sizeof(real), <real*>(base + j * step) + c, step)
                c += 4
            j += 4
    while j < n:
        for c in range(classes):
            (<real*>(base + j * step + c * down))[0] = tile[c * lanes + j]
        j += 1
