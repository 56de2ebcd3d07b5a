"""Few classes: samples side by side as the lanes of a tile [class][lane].

Everything runs over the lanes: exp once, logarithms and options in float64. Ten classes take a sixth of the time of one
row after the other.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from blocks cimport real
from softmax.call cimport Rows, address, is_class, read_raw
from softmax.pick cimport Mixture, Sample, finish, mixture_of
from softmax.reduce cimport Batch, add_widened
from softmax.tile cimport LANES, TILE, lanes_for, load_tile, step_of, store_tile

cdef extern from "losslib/simd/stream.h" namespace "losslib" nogil:
    void prefetch(const char* source)

cdef extern from "losslib/softmax/softmax.h" namespace "losslib" nogil:
    T log[T](T x)

cdef enum:
    RUN = 16               # terms that a lane adds in the type of the input before float64 takes over


# ---- arithmetic on a tile --------------------------------------------------------------------------------------

cdef inline void weighted_sums(const real* column, const double* weight, Py_ssize_t lanes, Py_ssize_t classes,
                               Batch[real]& top, double* weighted) noexcept nogil:
    """sum_c w_c (x_c - top) of sixteen lanes; a weight of zero leaves a class out, whatever its logit is."""
    cdef Batch[real] terms, run, factor
    cdef Batch[double] total
    cdef Py_ssize_t c = 0, stop
    total.fill(0.0)
    while c < classes:
        stop = min(c + RUN, classes)
        run.fill(0)
        while c < stop:
            if weight == NULL or weight[c] != 0.0:
                terms.load(column + c * lanes)
                terms.subtract(top)
                factor.fill(<real>weight[c] if weight != NULL else 1)
                terms.multiply(factor)
                run.add(terms)
            c += 1
        add_widened(total, run)
    total.store(weighted)


cdef inline void exponentials(real* tile, Py_ssize_t lanes, Py_ssize_t classes, Py_ssize_t width, real* m,
                              double* s, const double* weight, double* weighted, const char* ahead,
                              Py_ssize_t down) noexcept nogil:
    """m = largest of each lane, tile = exp(tile - m), s = its sum over the classes.

    Where `weighted` is not NULL it gets sum_c w_c (x_c - m); weight may be NULL. Meanwhile the cache lines of the next
    tile are asked for: those of one class come from `ahead`, the next ones from `down` bytes on.
    """
    cdef Batch[real] top, terms, run
    cdef Batch[double] total
    cdef Py_ssize_t g = 0, c, stop
    cdef real* column
    while g < width:
        column = tile + g
        top.load(column)
        for c in range(1, classes):
            terms.load(column + c * lanes)
            top.raise_to(terms)
        top.store(m + g)
        if weighted != NULL:
            weighted_sums(<const real*>column, weight, lanes, classes, top, weighted + g)
        total.fill(0.0)
        c = 0
        while c < classes:
            stop = min(c + RUN, classes)
            run.fill(0)
            while c < stop:
                terms.load(column + c * lanes)
                terms.subtract(top)
                prefetch(ahead + c * down + g * sizeof(real))
                terms.become_exp()
                terms.store(column + c * lanes)
                run.add(terms)
                c += 1
            add_widened(total, run)
        total.store(s + g)
        g += 16


cdef inline void scale_tile(real* tile, const double* weight, Py_ssize_t lanes, Py_ssize_t classes, Py_ssize_t width,
                            const real* factor, const real* smooth) noexcept nogil:
    """tile = tile * factor - w_c * smooth; smooth may be NULL."""
    cdef Batch[real] terms, scale, share, part
    cdef Py_ssize_t g = 0, c
    while g < width:
        scale.load(factor + g)
        if smooth == NULL:
            for c in range(classes):
                terms.load(tile + c * lanes + g)
                terms.multiply(scale)
                terms.store(tile + c * lanes + g)
        else:
            share.load(smooth + g)
            for c in range(classes):
                terms.load(tile + c * lanes + g)
                terms.multiply(scale)
                if weight == NULL:
                    terms.subtract(share)
                else:
                    part.fill(<real>weight[c])
                    part.multiply(share)
                    terms.subtract(part)
                terms.store(tile + c * lanes + g)
        g += 16


cdef inline void lanes_tile(Rows* rows, Py_ssize_t first, Py_ssize_t n, Py_ssize_t lanes, real* tile) noexcept nogil:
    """Values and gradients of the samples first … first + n, which stand at a constant distance in every array."""
    cdef Py_ssize_t classes = rows.classes, width = (n + 15) // 16 * 16, j, c
    cdef int64_t[LANES] index
    cdef Py_ssize_t[LANES] target, place    # class, and where it is in the tile
    cdef real[LANES] m, factor, smooth, kept
    cdef double[LANES] s, log_sum, lp, value, slope, weight, weighted, scale, taken
    cdef Mixture mixture = mixture_of(rows)
    cdef Sample sample
    cdef bint plain = (rows.kernel.linear and rows.class_weight == NULL and rows.smoothing == 0.0
                       and rows.z_loss == 0.0)
    cdef bint whole = rows.keep == NULL and not rows.ignoring
    cdef real* line

    load_tile(rows, &rows.input, first, n, lanes, tile)
    read_raw(rows, first, n, index)
    for j in range(n, width):
        index[j] = 0
    for j in range(width):
        target[j] = index[j] if is_class(index[j], classes) else 0
        place[j] = target[j] * lanes + j
    for j in range(width):
        lp[j] = <double>tile[place[j]]
    exponentials(tile, lanes, classes, width, m, s, rows.class_weight,
                 <double*>weighted if rows.smoothing > 0.0 else <double*>NULL,
                 address(rows, &rows.input, first) + n * step_of(rows, &rows.input), rows.input.classes)
    for j in range(width):
        log_sum[j] = log(s[j])
        lp[j] = (lp[j] - <double>m[j]) - log_sum[j]

    if rows.scale == NULL:
        for j in range(width):
            scale[j] = rows.scale_all
    else:
        memcpy(scale, rows.scale + first, n * sizeof(double))
        for j in range(n, width):
            scale[j] = 0.0
    if plain:
        for j in range(width):
            value[j] = -lp[j]
            factor[j] = <real>(scale[j] / s[j])
            taken[j] = scale[j]
    else:
        if rows.class_weight == NULL:
            for j in range(width):
                weight[j] = 1.0
        else:
            for j in range(width):
                weight[j] = rows.class_weight[target[j]]
        if rows.smoothing == 0.0:
            for j in range(width):
                weighted[j] = 0.0
        rows.kernel.pick(rows.numbers, lp, value, slope, width)
        for j in range(width):
            sample = finish(mixture, value[j], slope[j], weight[j], <double>m[j], log_sum[j], weighted[j])
            value[j] = sample.value
            factor[j] = <real>(sample.softmax_part * scale[j] / s[j])
            taken[j] = sample.target_part * scale[j]
            smooth[j] = <real>(mixture.rest * scale[j])
    if not whole:
        whole = True
        for j in range(n):
            kept[j] = 1
            if (rows.keep != NULL and not rows.keep[first + j]) or (rows.ignoring and index[j] == rows.ignored):
                kept[j] = 0
                value[j] = 0.0
                taken[j] = 0.0
                whole = False
    if rows.values != NULL:
        memcpy(rows.values + first, value, n * sizeof(double))
    if not rows.want_grad:
        return

    scale_tile(tile, rows.class_weight, lanes, classes, width, factor,
               <const real*>smooth if rows.smoothing > 0.0 else <const real*>NULL)
    for j in range(n):
        tile[place[j]] = <real>(<double>tile[place[j]] - taken[j])
    if not whole:
        for c in range(classes):
            line = tile + c * lanes
            for j in range(n):
                line[j] = line[j] if kept[j] != 0 else 0     # whatever stood there, even NaN
    store_tile(rows, first, n, lanes, tile)


cdef inline void lanes_chunk(Rows* rows, Py_ssize_t chunk, real tag) noexcept nogil:
    cdef real[TILE] tile
    cdef Py_ssize_t first = chunk * rows.chunk, stop = min(first + rows.chunk, rows.samples), n
    cdef Py_ssize_t lanes = lanes_for(rows.classes)
    while first < stop:
        n = min(lanes, stop - first)
        if rows.inner > 1:      # a tile of neighbours does not cross from one outer position to the next
            n = min(n, rows.inner - first % rows.inner)
        if rows.soft:
            if real is float:
                rows.kernel.soft32(rows.numbers, rows, first, n, lanes, tile)
            else:
                rows.kernel.soft64(rows.numbers, rows, first, n, lanes, tile)
        elif rows.kernel.tile32 == NULL:
            lanes_tile(rows, first, n, lanes, <real*>tile)
        elif real is float:
            rows.kernel.tile32(rows.numbers, rows, first, n, lanes, tile)
        else:
            rows.kernel.tile64(rows.numbers, rows, first, n, lanes, tile)
        first += n
