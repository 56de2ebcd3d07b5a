"""The softmax geometry: losses of a row of logits, log-probabilities or probabilities against a class or a distribution
of classes.

An input is seen as (outer, classes, inner): the class axis may be anywhere, and nothing is transposed in memory. Two
drivers share the work:

``run_lanes``  few classes and class-index targets: 16 samples are lanes of a stack tile [class][lane], filled by a
               transposed read of 16 rows, or straight from memory where the samples are neighbours (class axis 1 of
               an image). Six times as fast as row by row for ten classes.
``run_rows``   everything else: one row at a time, vectorised over the classes, in buffers of one row for each thread:
               read once, exp once, written once.

Values are written in float64, one a sample; gradients are multiplied by a factor for each sample that
``losslib.softmax`` prepares (weight, upstream gradient, denominator). A sample is computed by one thread from start to
end, so that the bits do not depend on threads.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY, NAN
from libc.math cimport expm1 as c_expm1
from libc.math cimport fabs as c_fabs
from libc.math cimport log as c_log
from libc.math cimport pow as c_pow
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from blocks cimport narrow_run, real, stream, stream_fence, widen_run
from gate cimport ThreadGate
from job cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64

from losslib._kernels import threads

cnp._import_array()

cdef extern from "losslib/softmax.h" namespace "losslib" nogil:
    cppclass Picked[T]:
        T value
        T slope
    cppclass CrossEntropyPick:
        Picked[T] at[T](T lp)
    cppclass FocalPick:
        double gamma
        Picked[T] at[T](T lp)
    cppclass PolyPick:
        double epsilon
        Picked[T] at[T](T lp)
    cppclass GeneralizedPick:
        double q
        Picked[T] at[T](T lp)
    cppclass SymmetricPick:
        double alpha
        double beta
        Picked[T] at[T](T lp)
    T exp[T](T x)
    T exp_nonpositive[T](T x)
    T log[T](T x)
    T tanh[T](T x)
    T power[T](T x, T y)
    T product_or_zero[T](T coefficient, T factor)

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum Kind:
    CROSS_ENTROPY = 0
    NLL = 1
    CATEGORICAL = 2
    FOCAL = 3
    POLY = 4
    GENERALIZED = 5
    SYMMETRIC = 6
    BI_TEMPERED = 7
    SPARSEMAX = 8
    JENSEN_SHANNON = 9
    DISTILLATION = 10

KINDS = {
    "cross_entropy": CROSS_ENTROPY, "nll": NLL, "categorical_cross_entropy": CATEGORICAL, "focal": FOCAL, "poly1": POLY,
    "generalized": GENERALIZED, "symmetric": SYMMETRIC, "bi_tempered": BI_TEMPERED, "sparsemax": SPARSEMAX,
    "js_div": JENSEN_SHANNON, "distillation": DISTILLATION,
}

cdef enum:
    LANES = 16
    TILE_CLASSES = 256     # classes up to which the lanes driver runs: a float tile of 16 KiB
    CHUNK = 32768          # elements that one thread takes at a time, in whole samples
    STREAMING = 16777216   # bytes of an output from which it is stored past the caches

cdef struct View:
    char* data
    int type
    Py_ssize_t outer       # strides in bytes
    Py_ssize_t classes
    Py_ssize_t inner

cdef struct Rows:
    int kind
    double[8] numbers
    Py_ssize_t outer, classes, inner, samples
    View input
    bint soft              # the target is a distribution, or logits of the second input
    View target            # soft targets
    const char* index      # class indices: data, size and sign of the type, strides
    int index_size
    bint index_signed
    Py_ssize_t index_outer, index_inner
    const double* class_weight     # by class, or NULL
    const unsigned char* keep      # by sample, or NULL: 0 where nothing counts
    const double* scale            # of derivatives by sample, or NULL
    double scale_all
    double smoothing, z_loss, softcap
    double weight_total    # sum of the class weights; needed for label smoothing only
    double* values         # by sample, or NULL
    bint want_grad, want_hess, want_target
    View grad
    View hess
    View target_grad
    bint streaming
    bint double_precision
    int threads
    Py_ssize_t chunk       # samples that one thread takes at a time
    int failed             # a buffer could not be allocated


# ---- class indices ---------------------------------------------------------------------------------------------

cdef inline int64_t read_index(const Rows* rows, Py_ssize_t sample) noexcept nogil:
    """Return the class of a sample, or -1 for anything that is no class."""
    return read_index_at(rows, rows.index + (sample // rows.inner) * rows.index_outer
                         + (sample % rows.inner) * rows.index_inner)


cdef inline int64_t read_index_at(const Rows* rows, const char* p) noexcept nogil:
    """The class that stands here, or -1: read once into a local, compared before it is used."""
    cdef int64_t index
    if rows.index_size == 8:
        index = (<const int64_t*>p)[0]      # an uint64 beyond int64 turns negative
    elif rows.index_size == 4:
        index = (<const int32_t*>p)[0] if rows.index_signed else <int64_t>(<const uint32_t*>p)[0]
    elif rows.index_size == 2:
        index = (<const int16_t*>p)[0] if rows.index_signed else <int64_t>(<const uint16_t*>p)[0]
    else:
        index = (<const int8_t*>p)[0] if rows.index_signed else <int64_t>(<const uint8_t*>p)[0]
    if index < 0 or index >= rows.classes:
        return -1
    return index


# ---- reductions over the classes of a row, in 16 lanes ---------------------------------------------------------

cdef inline real row_max(const real* x, Py_ssize_t n) noexcept nogil:
    cdef real[16] lane
    cdef Py_ssize_t i = 0
    cdef int k
    for k in range(16):
        lane[k] = -INFINITY
    while i + 16 <= n:
        for k in range(16):
            lane[k] = x[i + k] if x[i + k] > lane[k] else lane[k]
        i += 16
    for k in range(<int>(n - i)):
        lane[k] = x[i + k] if x[i + k] > lane[k] else lane[k]
    for k in range(8):
        lane[k] = lane[k + 8] if lane[k + 8] > lane[k] else lane[k]
    for k in range(1, 8):
        lane[0] = lane[k] if lane[k] > lane[0] else lane[0]
    return lane[0]


cdef inline double add_lanes(double* lane) noexcept nogil:
    cdef int k
    for k in range(8):
        lane[k] += lane[k + 8]
    for k in range(4):
        lane[k] += lane[k + 4]
    return (lane[0] + lane[2]) + (lane[1] + lane[3])


cdef inline double row_sum(const real* x, Py_ssize_t n) noexcept nogil:
    cdef double[16] lane
    cdef Py_ssize_t i = 0
    cdef int k
    for k in range(16):
        lane[k] = 0.0
    while i + 16 <= n:
        for k in range(16):
            lane[k] += <double>x[i + k]
        i += 16
    for k in range(<int>(n - i)):
        lane[k] += <double>x[i + k]
    return add_lanes(lane)


cdef inline double row_exp(const real* x, real m, real* e, Py_ssize_t n) noexcept nogil:
    """e = exp(x - m); return the sum in float64. e may be x.

    Two plain loops over a block in the L1 cache: both vectorise, which one loop with the float64 lanes inside does not.
    """
    cdef Py_ssize_t start = 0, length, i
    cdef double total = 0.0
    while start < n:
        length = min(<Py_ssize_t>512, n - start)
        if e == x:          # one pointer, or the compiler would take the scalar loop for overlapping ones
            for i in range(start, start + length):
                e[i] = exp_nonpositive(e[i] - m)
        else:
            for i in range(start, start + length):
                e[i] = exp_nonpositive(x[i] - m)
        total += row_sum(e + start, length)
        start += length
    return total


cdef inline double row_dot(const real* a, const real* b, real* product, Py_ssize_t n) noexcept nogil:
    """Sum of a * b in float64; a zero in a makes its term zero, whatever b is. The products are left in a buffer.

    The choice is not made inside the sum: GCC 12 turns a conditional term of 16 float64 lanes into masked additions
    that lose terms with AVX-512.
    """
    cdef Py_ssize_t i
    for i in range(n):
        product[i] = product_or_zero(a[i], b[i])
    return row_sum(product, n)


# ---- scalar part of a sample -----------------------------------------------------------------------------------

cdef inline Picked[double] pick(const Rows* rows, double lp) noexcept nogil:
    """The loss of one sample as a function of the log-probability of its class."""
    cdef FocalPick focal
    cdef PolyPick poly
    cdef GeneralizedPick generalized
    cdef SymmetricPick symmetric
    cdef CrossEntropyPick plain
    if rows.kind == FOCAL:
        focal.gamma = rows.numbers[0]
        return focal.at(lp)
    if rows.kind == POLY:
        poly.epsilon = rows.numbers[0]
        return poly.at(lp)
    if rows.kind == GENERALIZED:
        generalized.q = rows.numbers[0]
        return generalized.at(lp)
    if rows.kind == SYMMETRIC:
        symmetric.alpha = rows.numbers[0]
        symmetric.beta = rows.numbers[1]
        return symmetric.at(lp)
    return plain.at(lp)


cdef struct Sample:
    double value
    double softmax_part    # coefficient of p in the gradient
    double target_part     # what is taken off at the target
    double weight          # of the target's class


cdef inline Sample finish(const Rows* rows, double lse, double x_target, double weighted_sum,
                          int64_t target) noexcept nogil:
    """Value and gradient coefficients of a sample with a class as target.

    ``weighted_sum`` is sum_c w_c x_c, needed for label smoothing only.
    """
    cdef Sample sample
    cdef Picked[double] jet
    cdef double w = rows.class_weight[target] if rows.class_weight != NULL else 1.0
    cdef double rest
    sample.weight = w
    jet = pick(rows, x_target - lse)
    sample.value = w * (1.0 - rows.smoothing) * jet.value
    sample.target_part = -w * (1.0 - rows.smoothing) * jet.slope
    sample.softmax_part = sample.target_part
    if rows.smoothing > 0.0:
        rest = rows.smoothing / <double>rows.classes
        sample.value += rest * (rows.weight_total * lse - weighted_sum)
        sample.softmax_part += rest * rows.weight_total
    if rows.z_loss > 0.0:
        sample.value += rows.z_loss * lse * lse
        sample.softmax_part += 2.0 * rows.z_loss * lse
    return sample


cdef inline double sum_of_weights(const Rows* rows) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t c
    if rows.class_weight == NULL:
        return <double>rows.classes
    for c in range(rows.classes):
        total += rows.class_weight[c]
    return total


cdef inline bint counts(const Rows* rows, Py_ssize_t sample) noexcept nogil:
    return rows.keep == NULL or rows.keep[sample] != 0


cdef inline double scale_of(const Rows* rows, Py_ssize_t sample) noexcept nogil:
    return rows.scale[sample] if rows.scale != NULL else rows.scale_all


cdef inline char* address(const Rows* rows, const View* view, Py_ssize_t sample) noexcept nogil:
    return view.data + (sample // rows.inner) * view.outer + (sample % rows.inner) * view.inner


# ---- lanes: sixteen samples at a time --------------------------------------------------------------------------

cdef inline void lanes_tile(Rows* rows, Py_ssize_t first, int n, real* tile) noexcept nogil:
    """Samples first … first + n, n <= 16, in the tile [class][lane]; unused lanes hold zeros.

    All samples of a tile have one outer position or are outer positions themselves, so that they stand at a constant
    distance in every array: no division by sample.
    """
    cdef Py_ssize_t c, classes = rows.classes
    cdef Py_ssize_t step_in = rows.input.inner if rows.inner > 1 else rows.input.outer
    cdef Py_ssize_t step_out = rows.grad.inner if rows.inner > 1 else rows.grad.outer
    cdef Py_ssize_t step_index = rows.index_inner if rows.inner > 1 else rows.index_outer
    cdef const char* base_in = address(rows, &rows.input, first)
    cdef const char* base_index = (rows.index + (first // rows.inner) * rows.index_outer
                                   + (first % rows.inner) * rows.index_inner)
    cdef char* base_out
    cdef int j
    cdef real[16] m, factor, smooth
    cdef double[16] s, lse, weighted, x_target, take, scale, value
    cdef int64_t[16] target
    cdef real* line
    cdef const real* source
    cdef real* destination
    cdef Sample result
    cdef real e
    cdef bint plain = (rows.kind == CROSS_ENTROPY and rows.class_weight == NULL and rows.smoothing == 0.0
                       and rows.z_loss == 0.0)

    # Read: neighbours in memory are lanes already, rows are transposed.
    if n == 16 and step_in == sizeof(real):
        for c in range(classes):
            source = <const real*>(base_in + c * rows.input.classes)
            line = tile + c * 16
            for j in range(16):
                line[j] = source[j]
    else:
        for j in range(n):
            for c in range(classes):
                tile[c * 16 + j] = (<const real*>(base_in + j * step_in + c * rows.input.classes))[0]
        for j in range(n, 16):
            for c in range(classes):
                tile[c * 16 + j] = 0
    for j in range(16):
        target[j] = 0
        scale[j] = 0.0
        weighted[j] = 0.0
    for j in range(n):
        target[j] = read_index_at(rows, base_index + j * step_index)
        if target[j] < 0:
            target[j] = 0
    for j in range(16):
        x_target[j] = tile[target[j] * 16 + j]
    if rows.smoothing > 0.0:
        for c in range(classes):
            line = tile + c * 16
            e = <real>rows.class_weight[c] if rows.class_weight != NULL else 1
            if e != 0:          # or 0 * -inf
                for j in range(16):
                    weighted[j] += <double>(e * line[j])

    # exp(x - max) in place, its sum in float64.
    for j in range(16):
        m[j] = tile[j]
    for c in range(1, classes):
        line = tile + c * 16
        for j in range(16):
            m[j] = line[j] if line[j] > m[j] else m[j]
    for j in range(16):
        s[j] = 0.0
    for c in range(classes):
        line = tile + c * 16
        for j in range(16):
            line[j] = exp_nonpositive(line[j] - m[j])
        for j in range(16):
            s[j] += <double>line[j]
    for j in range(16):
        lse[j] = <double>m[j] + log(s[j])

    # Value, and the coefficients of the gradient.
    if rows.scale == NULL:
        for j in range(n):
            scale[j] = rows.scale_all
    else:
        for j in range(n):
            scale[j] = rows.scale[first + j]
    if rows.keep != NULL:
        for j in range(n):
            if not rows.keep[first + j]:
                scale[j] = 0.0
    if plain:
        for j in range(16):
            value[j] = lse[j] - x_target[j]
            factor[j] = <real>(scale[j] / s[j])
            take[j] = scale[j]
    else:
        for j in range(16):
            result = finish(rows, lse[j], x_target[j], weighted[j], target[j])
            value[j] = result.value
            factor[j] = <real>(result.softmax_part * scale[j] / s[j])
            take[j] = result.target_part * scale[j]
            smooth[j] = <real>(rows.smoothing / <double>classes * scale[j])
    if rows.values != NULL:
        for j in range(n):
            rows.values[first + j] = value[j] if counts(rows, first + j) else 0.0
    if not rows.want_grad:
        return

    if rows.smoothing == 0.0:
        for c in range(classes):
            line = tile + c * 16
            for j in range(16):
                line[j] = line[j] * factor[j]
    else:
        for c in range(classes):
            line = tile + c * 16
            e = <real>rows.class_weight[c] if rows.class_weight != NULL else 1
            for j in range(16):
                line[j] = line[j] * factor[j] - e * smooth[j]
    for j in range(16):
        tile[target[j] * 16 + j] = <real>(<double>tile[target[j] * 16 + j] - take[j])
    if rows.keep != NULL:
        for j in range(n):
            if not rows.keep[first + j]:     # whatever stood there, even NaN
                for c in range(classes):
                    tile[c * 16 + j] = 0

    base_out = address(rows, &rows.grad, first)
    if n == 16 and step_out == sizeof(real):
        for c in range(classes):
            destination = <real*>(base_out + c * rows.grad.classes)
            line = tile + c * 16
            for j in range(16):
                destination[j] = line[j]
    else:
        for j in range(n):
            for c in range(classes):
                (<real*>(base_out + j * step_out + c * rows.grad.classes))[0] = tile[c * 16 + j]


cdef void lanes_chunk(Rows* rows, Py_ssize_t chunk, real tag) noexcept nogil:
    cdef real[16 * TILE_CLASSES] tile
    cdef Py_ssize_t first = chunk * rows.chunk, stop = min(first + rows.chunk, rows.samples)
    cdef int n
    while first < stop:
        n = <int>min(<Py_ssize_t>LANES, stop - first)
        # A tile of neighbours does not cross from one outer position to the next.
        if rows.inner > 1 and first % rows.inner + n > rows.inner:
            n = <int>(rows.inner - first % rows.inner)
        lanes_tile(rows, first, n, <real*>tile)
        first += n


# ---- rows: one sample at a time --------------------------------------------------------------------------------

cdef inline void fetch(const Rows* rows, const View* view, Py_ssize_t sample, real* buffer) noexcept nogil:
    widen_run(address(rows, view, sample), view.classes, view.type, buffer, rows.classes)


cdef inline void deliver(const Rows* rows, const View* view, Py_ssize_t sample, const real* buffer) noexcept nogil:
    cdef char* target = address(rows, view, sample)
    cdef int native = FLOAT64 if rows.double_precision else FLOAT32
    if rows.streaming and view.classes == sizeof(real) and view.type == native:
        stream(target, <const char*>buffer, rows.classes * sizeof(real))
    else:
        narrow_run(buffer, target, view.classes, view.type, rows.classes)


cdef inline void row_by_class(Rows* rows, Py_ssize_t sample, real* x, real* e, real* h, double* value) noexcept nogil:
    """Losses of the softmax of a row with a class as target; x is overwritten by the gradient."""
    cdef Py_ssize_t c, n = rows.classes
    cdef int64_t target = read_index(rows, sample)
    cdef real m, factor, w, slope, cap = <real>rows.softcap, u
    cdef double s, lse, x_target, weighted = 0.0, scale = scale_of(rows, sample)
    cdef Sample result
    if target < 0:
        target = 0
    if rows.softcap > 0.0:
        for c in range(n):
            x[c] = cap * tanh(x[c] / cap)
    x_target = x[target]
    if rows.smoothing > 0.0:
        if rows.class_weight == NULL:
            weighted = row_sum(x, n)
        else:
            for c in range(n):
                if rows.class_weight[c] != 0.0:
                    weighted += rows.class_weight[c] * <double>x[c]
    m = row_max(x, n)
    s = row_exp(x, m, e, n)
    lse = <double>m + c_log(s)
    result = finish(rows, lse, x_target, weighted, target)
    value[0] = result.value
    if not rows.want_grad and not rows.want_hess:
        return
    if rows.want_hess:
        # d2/dx2 of softmax_part * lse: p (1 - p), and of the z-loss 2 z p^2 beside it.
        factor = <real>(1.0 / s)
        w = <real>(result.softmax_part * scale)
        u = <real>(2.0 * rows.z_loss * scale)
        for c in range(n):
            h[c] = w * (e[c] * factor) * (1 - e[c] * factor) + u * (e[c] * factor) * (e[c] * factor)
    factor = <real>(result.softmax_part * scale / s)
    w = <real>(rows.smoothing / <double>n * scale)
    for c in range(n):
        e[c] = e[c] * factor
    if rows.smoothing > 0.0:
        if rows.class_weight == NULL:
            for c in range(n):
                e[c] = e[c] - w
        else:
            for c in range(n):
                e[c] = e[c] - w * <real>rows.class_weight[c]
    e[target] = <real>(<double>e[target] - result.target_part * scale)
    if rows.softcap > 0.0:
        # x holds cap * tanh: its derivative by the logit is 1 - (x/cap)^2, the second one -2 x/cap^2 times that.
        for c in range(n):
            slope = 1 - (x[c] / cap) * (x[c] / cap)
            if rows.want_hess:
                h[c] = h[c] * slope * slope - e[c] * (2 * x[c] / (cap * cap)) * slope
            e[c] = e[c] * slope
    memcpy(x, e, n * sizeof(real))


cdef inline bint is_direct(const Rows* rows, const View* view) noexcept nogil:
    """True if the classes of a sample are neighbours in the type that is computed in."""
    return (view.type == (FLOAT64 if rows.double_precision else FLOAT32)
            and view.classes == (8 if rows.double_precision else 4))


cdef inline void direct_row(Rows* rows, Py_ssize_t sample, real* buffer) noexcept nogil:
    """`row_by_class` for neighbouring classes without a soft cap or Hessian: three passes, no copy.

    The exponentials are written where the gradient will stand, even if that is the row itself: what is needed of the
    logits is read before.
    """
    cdef const real* x = <const real*>address(rows, &rows.input, sample)
    cdef real* e = buffer
    cdef Py_ssize_t c, n = rows.classes
    cdef int64_t target = read_index(rows, sample)
    cdef double s, lse, x_target, weighted = 0.0, scale = scale_of(rows, sample)
    cdef real m, factor, w
    cdef Sample result
    if target < 0:
        target = 0
    if rows.want_grad and not rows.streaming:
        e = <real*>address(rows, &rows.grad, sample)
    x_target = x[target]
    if rows.smoothing > 0.0:
        if rows.class_weight == NULL:
            weighted = row_sum(x, n)
        else:
            for c in range(n):
                if rows.class_weight[c] != 0.0:
                    weighted += rows.class_weight[c] * <double>x[c]
    m = row_max(x, n)
    s = row_exp(x, m, e, n)
    lse = <double>m + c_log(s)
    result = finish(rows, lse, x_target, weighted, target)
    if rows.values != NULL:
        rows.values[sample] = result.value
    if not rows.want_grad:
        return
    factor = <real>(result.softmax_part * scale / s)
    w = <real>(rows.smoothing / <double>n * scale)
    if rows.smoothing == 0.0:
        for c in range(n):
            e[c] = e[c] * factor
    elif rows.class_weight == NULL:
        for c in range(n):
            e[c] = e[c] * factor - w
    else:
        for c in range(n):
            e[c] = e[c] * factor - w * <real>rows.class_weight[c]
    e[target] = <real>(<double>e[target] - result.target_part * scale)
    if rows.streaming:
        stream(address(rows, &rows.grad, sample), <const char*>e, n * sizeof(real))


cdef inline void soft_jets(const Rows* rows, const real* lp, const real* t, real* f, real* slope) noexcept nogil:
    """f = t f(lp), slope = t f'(lp) for every class; a zero target makes both zero."""
    cdef FocalPick focal
    cdef PolyPick poly
    cdef GeneralizedPick generalized
    cdef Picked[real] jet
    cdef Py_ssize_t c
    if rows.kind == FOCAL:
        focal.gamma = rows.numbers[0]
        for c in range(rows.classes):
            jet = focal.at(lp[c])
            f[c] = 0 if t[c] == 0 else t[c] * jet.value
            slope[c] = product_or_zero(t[c], jet.slope)
    elif rows.kind == POLY:
        poly.epsilon = rows.numbers[0]
        for c in range(rows.classes):
            jet = poly.at(lp[c])
            f[c] = 0 if t[c] == 0 else t[c] * jet.value
            slope[c] = product_or_zero(t[c], jet.slope)
    else:
        generalized.q = rows.numbers[0]
        for c in range(rows.classes):
            jet = generalized.at(lp[c])
            f[c] = 0 if t[c] == 0 else t[c] * jet.value
            slope[c] = product_or_zero(t[c], jet.slope)


cdef inline void row_by_distribution(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e, real* q, real* h,
                                     double* value) noexcept nogil:
    """Losses of the softmax of a row with probabilities as target; x becomes the gradient, t the target's gradient."""
    cdef Py_ssize_t c, n = rows.classes
    cdef real m, factor, w, slope, cap = <real>rows.softcap, u
    cdef real keep = <real>(1.0 - rows.smoothing), rest = <real>(rows.smoothing / <double>n)
    cdef double s, lse, mass, scale = scale_of(rows, sample), part, expected
    if rows.softcap > 0.0:
        for c in range(n):
            x[c] = cap * tanh(x[c] / cap)
    for c in range(n):
        t[c] = t[c] * keep + rest
    if rows.class_weight != NULL:
        for c in range(n):
            q[c] = t[c] * <real>rows.class_weight[c]
    else:
        memcpy(q, t, n * sizeof(real))
    m = row_max(x, n)
    s = row_exp(x, m, e, n)
    lse = <double>m + c_log(s)
    factor = <real>(1.0 / s)
    if rows.kind == CROSS_ENTROPY:
        mass = row_sum(q, n)
        # sum q (lse - x), class by class where a logit is -inf: its zero target makes the term zero.
        value[0] = mass * lse - row_dot(q, x, h, n)
        part = mass
        if rows.z_loss > 0.0:
            value[0] += rows.z_loss * lse * lse
            part += 2.0 * rows.z_loss * lse
        if rows.want_hess:
            w = <real>(part * scale)
            u = <real>(2.0 * rows.z_loss * scale)
            for c in range(n):
                h[c] = w * (e[c] * factor) * (1 - e[c] * factor) + u * (e[c] * factor) * (e[c] * factor)
        if rows.want_target:
            for c in range(n):
                w = keep * <real>scale if rows.class_weight == NULL else keep * <real>(scale * rows.class_weight[c])
                t[c] = w * (<real>lse - x[c])
        factor = <real>(part * scale / s)
        w = <real>scale
        for c in range(n):
            e[c] = e[c] * factor - q[c] * w
    elif rows.kind == SYMMETRIC:
        mass = row_sum(q, n)
        value[0] = rows.numbers[0] * (mass * lse - row_dot(q, x, h, n))
        for c in range(n):
            e[c] = e[c] * factor
        # The reverse part: sum p r with r = -log(max(t, exp(-4))).
        for c in range(n):
            h[c] = -log(t[c]) if t[c] > <real>0.01831563888873418 else <real>4
        expected = row_dot(e, h, x, n)
        value[0] += rows.numbers[1] * expected
        w = <real>(rows.numbers[0] * scale)
        u = <real>(rows.numbers[1] * scale)
        for c in range(n):
            e[c] = w * (<real>mass * e[c] - q[c]) + u * e[c] * (h[c] - <real>expected)
    else:
        w = <real>lse
        for c in range(n):
            e[c] = e[c] * factor
            x[c] = x[c] - w          # log-probabilities
        soft_jets(rows, x, q, h, t)
        value[0] = row_sum(h, n)
        part = row_sum(t, n)
        w = <real>scale
        for c in range(n):
            e[c] = w * (t[c] - e[c] * <real>part)
    if rows.softcap > 0.0:
        for c in range(n):
            slope = 1 - (x[c] / cap) * (x[c] / cap)
            if rows.want_hess:
                h[c] = h[c] * slope * slope - e[c] * (2 * x[c] / (cap * cap)) * slope
            e[c] = e[c] * slope
    memcpy(x, e, n * sizeof(real))


cdef inline void row_nll(Rows* rows, Py_ssize_t sample, real* x, real* h, double* value) noexcept nogil:
    cdef Py_ssize_t c, n = rows.classes
    cdef int64_t target = read_index(rows, sample)
    cdef double w
    if target < 0:
        target = 0
    w = rows.class_weight[target] if rows.class_weight != NULL else 1.0
    value[0] = -w * <double>x[target]
    for c in range(n):
        x[c] = 0
        h[c] = 0
    x[target] = <real>(-w * scale_of(rows, sample))


cdef inline void row_categorical(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e,
                                 double* value) noexcept nogil:
    """Probabilities in, as Keras: divided by their sum, clipped, and no gradient where the clip holds."""
    cdef Py_ssize_t c, n = rows.classes
    cdef double total = row_sum(x, n), loss = 0.0, expected = 0.0, p, weight, scale = scale_of(rows, sample)
    cdef double inverse = 1.0 / total, keep = 1.0 - rows.smoothing, rest = rows.smoothing / <double>n
    cdef double low = 1e-7, high = 1.0 - 1e-7
    for c in range(n):
        p = <double>x[c] * inverse
        weight = (<double>t[c] * keep + rest) * (rows.class_weight[c] if rows.class_weight != NULL else 1.0)
        if p < low:
            loss -= weight * c_log(low)
            e[c] = 0
        elif p > high:
            loss -= weight * c_log(high)
            e[c] = 0
        else:
            loss -= 0.0 if weight == 0.0 else weight * c_log(p)
            e[c] = <real>(weight / p)
            expected += weight
        t[c] = <real>(-c_log(low if p < low else (high if p > high else p)) * keep * scale
                      * (rows.class_weight[c] if rows.class_weight != NULL else 1.0))
    value[0] = loss
    for c in range(n):
        x[c] = <real>((expected - <double>e[c]) * inverse * scale)


cdef inline double tempered_log(double logarithm, double t) noexcept nogil:
    """(x^(1-t) - 1)/(1 - t) from log x; log x itself for t = 1."""
    if t == 1.0:
        return logarithm
    return c_expm1((1.0 - t) * logarithm) / (1.0 - t)


cdef inline void row_bi_tempered(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e,
                                 double* value) noexcept nogil:
    """Amid et al. 2019: tempered logarithm t1, tempered softmax t2 >= 1 by fixed-point iteration.

    Probabilities are kept as logarithms, which do not underflow; x becomes the gradient.
    """
    cdef Py_ssize_t c, n = rows.classes
    cdef double t1 = rows.numbers[0], t2 = rows.numbers[1], scale = scale_of(rows, sample)
    cdef double m = <double>row_max(x, n), partition = 0.0, shift = 1.0, before, norm, p, y, base, lp
    cdef double keep = 1.0 - rows.smoothing, rest = rows.smoothing / <double>n
    cdef double forgotten = 0.0, escort = 0.0, loss = 0.0
    cdef int _step
    if t2 == 1.0:
        for c in range(n):
            partition += exp(<double>x[c] - m)
        norm = c_log(partition)
    else:
        for _step in range(200):
            partition = 0.0
            for c in range(n):
                base = 1.0 + (1.0 - t2) * (<double>x[c] - m) * shift
                partition += c_pow(base, 1.0 / (1.0 - t2))
            before = shift
            shift = c_pow(partition, 1.0 - t2)
            if c_fabs(shift - before) <= 1e-16 * shift:
                break
        partition = 0.0
        for c in range(n):
            base = 1.0 + (1.0 - t2) * (<double>x[c] - m) * shift
            partition += c_pow(base, 1.0 / (1.0 - t2))
        norm = -tempered_log(-c_log(partition), t2)
    for c in range(n):
        if t2 == 1.0:
            lp = <double>x[c] - m - norm
        else:
            lp = c_log(1.0 + (1.0 - t2) * (<double>x[c] - m - norm)) / (1.0 - t2)
        p = exp(lp)
        y = <double>t[c] * keep + rest
        if y > 0.0:
            loss += y * (tempered_log(c_log(y), t1) - tempered_log(lp, t1))
            loss -= c_pow(y, 2.0 - t1) / (2.0 - t1)
        loss += exp((2.0 - t1) * lp) / (2.0 - t1)
        base = forget(p - y, t2 - t1, lp)
        forgotten += base
        escort += exp(t2 * lp)
        t[c] = <real>base
        e[c] = <real>lp
    value[0] = loss
    for c in range(n):
        x[c] = <real>((<double>t[c] - exp(t2 * <double>e[c]) / escort * forgotten) * scale)


cdef inline double forget(double difference, double power, double lp) noexcept nogil:
    """(p - y) p^(t2 - t1) for p = exp(lp); 1 to the power of nothing for t2 = t1, even at p = 0."""
    if power == 0.0 or difference == 0.0:
        return difference
    return difference * exp(power * lp)


cdef inline void row_sparsemax(Rows* rows, Py_ssize_t sample, real* x, real* t, double* value) noexcept nogil:
    """Martins and Astudillo 2016: the threshold tau by Michelot's iteration over a shrinking support."""
    cdef Py_ssize_t c, n = rows.classes, size, before = 0
    cdef double m = <double>row_max(x, n), tau = -INFINITY, total, half = 0.0, scale = scale_of(rows, sample), z, part
    cdef double mass = 0.0, check = row_sum(x, n)
    if check != check:          # a NaN is above no threshold: it would be lost
        for c in range(n):
            x[c] = <real>check
        value[0] = check
        return
    while True:
        total = 0.0
        size = 0
        for c in range(n):
            z = <double>x[c] - m
            if z > tau:
                total += z
                size += 1
        tau = (total - 1.0) / <double>size
        if size == before or not tau == tau:
            break
        before = size
    for c in range(n):
        z = <double>x[c] - m
        part = z - tau if z > tau else 0.0
        if z > tau:
            half += z * z - tau * tau
        if t[c] != 0:
            half += <double>t[c] * <double>t[c] - 2.0 * <double>t[c] * z
            mass += <double>t[c]
        x[c] = <real>((part - <double>t[c]) * scale)
    value[0] = 0.5 * half + m * (1.0 - mass) if tau == tau else NAN


cdef inline void row_divergence(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e, real* q,
                                double* value) noexcept nogil:
    """Jensen-Shannon divergence or distillation between the softmax of two rows of logits."""
    cdef Py_ssize_t c, n = rows.classes
    cdef double beta = rows.numbers[0], scale = scale_of(rows, sample), total = 0.0, expected = 0.0, v, p, y, mixed
    cdef real inverse = <real>(1.0 / rows.numbers[0]) if rows.kind == DISTILLATION else 1
    cdef real mx, mt
    cdef double sx, st, lx, lt
    if rows.kind == DISTILLATION:
        for c in range(n):
            x[c] = x[c] * inverse
            t[c] = t[c] * inverse
        beta = 0.0
    mx = row_max(x, n)
    mt = row_max(t, n)
    sx = row_exp(x, mx, e, n)
    st = row_exp(t, mt, q, n)
    lx = <double>mx + c_log(sx)
    lt = <double>mt + c_log(st)
    for c in range(n):
        p = <double>e[c] / sx
        y = <double>q[c] / st
        if beta == 0.0:
            v = -y
            total += 0.0 if y == 0.0 else y * ((<double>t[c] - lt) - (<double>x[c] - lx))
        elif beta == 1.0:
            v = 0.0 if p == 0.0 else p * ((<double>x[c] - lx) - (<double>t[c] - lt))
            total += v
        else:
            mixed = c_log(beta * y + (1.0 - beta) * p)
            v = 0.0 if p == 0.0 else (1.0 - beta) * p * ((<double>x[c] - lx) - mixed)
            total += v
            total += 0.0 if y == 0.0 else beta * y * ((<double>t[c] - lt) - mixed)
        expected += v
        e[c] = <real>p
        q[c] = <real>v
    if rows.kind == DISTILLATION:
        value[0] = total * rows.numbers[0] * rows.numbers[0]
        scale = scale * rows.numbers[0]
    else:
        value[0] = total
    for c in range(n):
        x[c] = <real>((<double>q[c] - <double>e[c] * expected) * scale)


cdef inline void one_row(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e, real* q, real* h) noexcept nogil:
    cdef Py_ssize_t c, n = rows.classes
    cdef double value = 0.0
    cdef int64_t target
    # These look at every class of the target; smoothing spreads the focal loss over all classes.
    cdef bint one_hot = not rows.soft and (rows.kind in (CATEGORICAL, BI_TEMPERED, SPARSEMAX)
                                           or (rows.kind == FOCAL and rows.smoothing > 0.0))
    if not counts(rows, sample):
        for c in range(n):
            x[c] = 0
            h[c] = 0
            t[c] = 0
    else:
        fetch(rows, &rows.input, sample, x)
        if rows.soft:
            fetch(rows, &rows.target, sample, t)
        elif one_hot:
            target = read_index(rows, sample)
            for c in range(n):
                t[c] = 0
            if target >= 0:
                t[target] = 1
        if rows.kind == NLL:
            row_nll(rows, sample, x, h, &value)
        elif rows.kind == CATEGORICAL:
            row_categorical(rows, sample, x, t, e, &value)
        elif rows.kind == BI_TEMPERED:
            row_bi_tempered(rows, sample, x, t, e, &value)
        elif rows.kind == SPARSEMAX:
            row_sparsemax(rows, sample, x, t, &value)
        elif rows.kind == JENSEN_SHANNON or rows.kind == DISTILLATION:
            row_divergence(rows, sample, x, t, e, q, &value)
        elif rows.soft or one_hot:
            row_by_distribution(rows, sample, x, t, e, q, h, &value)
        else:
            row_by_class(rows, sample, x, e, h, &value)
    if rows.values != NULL:
        rows.values[sample] = value
    if rows.want_grad:
        deliver(rows, &rows.grad, sample, x)
    if rows.want_hess:
        deliver(rows, &rows.hess, sample, h)
    if rows.want_target:
        deliver(rows, &rows.target_grad, sample, t)


cdef void rows_chunk(Rows* rows, Py_ssize_t chunk, real tag) noexcept nogil:
    cdef Py_ssize_t sample = chunk * rows.chunk, stop = min(sample + rows.chunk, rows.samples), n = rows.classes
    cdef real* buffer = <real*>malloc(5 * (n + 16) * sizeof(real))
    if buffer == NULL:
        rows.failed = 1
        return
    cdef bint direct = (rows.kind in (CROSS_ENTROPY, FOCAL, POLY, GENERALIZED, SYMMETRIC) and not rows.soft
                        and rows.softcap == 0.0 and not rows.want_hess
                        and not (rows.kind == FOCAL and rows.smoothing > 0.0) and is_direct(rows, &rows.input)
                        and (not rows.want_grad or is_direct(rows, &rows.grad)))
    while sample < stop:
        if direct and counts(rows, sample):
            direct_row(rows, sample, buffer)
            sample += 1
            continue
        one_row(rows, sample, buffer, buffer + (n + 16), buffer + 2 * (n + 16), buffer + 3 * (n + 16),
                buffer + 4 * (n + 16))
        sample += 1
    if rows.streaming:
        stream_fence()
    free(buffer)


# ---- the driver ------------------------------------------------------------------------------------------------

cdef void run_chunk(Rows* rows, Py_ssize_t chunk, bint lanes) noexcept nogil:
    if rows.double_precision:
        if lanes:
            lanes_chunk(rows, chunk, <double>0)
        else:
            rows_chunk(rows, chunk, <double>0)
    elif lanes:
        lanes_chunk(rows, chunk, <float>0)
    else:
        rows_chunk(rows, chunk, <float>0)


cdef void run_shared_rows(void* rows, Py_ssize_t chunk, int slot) noexcept nogil:
    run_chunk(<Rows*>rows, chunk, False)


cdef void run_shared_lanes(void* rows, Py_ssize_t chunk, int slot) noexcept nogil:
    run_chunk(<Rows*>rows, chunk, True)


cdef inline bint fits_lanes(const Rows* rows) noexcept nogil:
    cdef int native = FLOAT64 if rows.double_precision else FLOAT32
    return (rows.kind in (CROSS_ENTROPY, FOCAL, POLY, GENERALIZED, SYMMETRIC) and not rows.soft
            and not (rows.kind == FOCAL and rows.smoothing > 0.0)
            and rows.classes <= (TILE_CLASSES if rows.inner > 1 else 64) and rows.softcap == 0.0
            and not rows.want_hess and rows.input.type == native
            and (not rows.want_grad or rows.grad.type == native))


cdef int execute_rows(Rows* rows, bint release) except -1:
    cdef Py_ssize_t chunks, chunk
    cdef bint lanes = fits_lanes(rows)
    cdef double cost = rows.samples * rows.classes * (3.0 if rows.double_precision else 1.5)
    rows.chunk = max(<Py_ssize_t>1, CHUNK // rows.classes)
    if lanes:
        rows.chunk = (rows.chunk + LANES - 1) // LANES * LANES
    chunks = (rows.samples + rows.chunk - 1) // rows.chunk
    rows.streaming = (rows.want_grad and not lanes
                      and rows.samples * rows.classes * (8 if rows.double_precision else 4) >= STREAMING)
    rows.weight_total = sum_of_weights(rows) if rows.smoothing > 0.0 else 0.0
    rows.threads = 1
    rows.failed = 0
    if not release:
        for chunk in range(chunks):
            run_chunk(rows, chunk, lanes)
    else:
        with nogil:
            if chunks > 1:
                rows.threads = _gate.begin(cost)
            if rows.threads > 1:
                _gate.run(run_shared_lanes if lanes else run_shared_rows, rows, chunks, rows.threads)
                _gate.end()
            else:
                for chunk in range(chunks):
                    run_chunk(rows, chunk, lanes)
    if rows.failed:
        raise MemoryError(f"no memory for a row of {rows.classes} classes")
    return 0


# ---- called from losslib.softmax -------------------------------------------------------------------------------

cdef dict _types = {"float16": FLOAT16, "bfloat16": BFLOAT16, "float32": FLOAT32, "float64": FLOAT64}


cdef int place(View* view, object array) except -1:
    view.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    view.type = _types[array.dtype.name]
    view.outer, view.classes, view.inner = array.strides
    return 0


cdef int place_index(Rows* rows, object target) except -1:
    """Class indices as a two-dimensional array (outer, inner) of a native integer type."""
    rows.index = <const char*>cnp.PyArray_DATA(<cnp.ndarray>target)
    rows.index_size = target.dtype.itemsize
    rows.index_signed = target.dtype.kind == "i"
    rows.index_outer, rows.index_inner = target.strides
    return 0


cdef inline void* data_of(object array) noexcept:
    """Where a contiguous array starts; NULL for None."""
    return NULL if array is None else cnp.PyArray_DATA(<cnp.ndarray>array)


def total(values):
    """Add float64 values in the order that plain calls use, so that every path gives the same bits."""
    return row_sum(<const double*>data_of(values), cnp.PyArray_SIZE(<cnp.ndarray>values))


def scan(target, Py_ssize_t classes, ignore_index, mask, class_weight, keep):
    """Look at class indices once: mark the samples that count, add their weights, find the first that is no class.

    Returns
    -------
    count : int
        Samples that count.
    weight : float
        Sum of their class weights, their number without weights.
    bad : int
        The first sample whose index is no class, or -1.
    """
    cdef Rows rows
    cdef Py_ssize_t sample, count = 0, bad = -1
    cdef int64_t index
    cdef double weight = 0.0
    cdef bint ignoring = ignore_index is not None
    cdef int64_t ignored = ignore_index if ignoring else -1
    cdef const unsigned char* masks = <const unsigned char*>data_of(mask)
    cdef const double* weights = <const double*>data_of(class_weight)
    cdef unsigned char* kept = <unsigned char*>data_of(keep)
    rows.outer, rows.inner = target.shape
    rows.classes = classes
    rows.samples = rows.outer * rows.inner
    place_index(&rows, target)
    with nogil:
        for sample in range(rows.samples):
            kept[sample] = 0
            if masks != NULL and not masks[sample]:
                continue
            index = raw_index(&rows, sample)
            if ignoring and index == ignored:
                continue
            if index < 0 or index >= classes:
                if bad < 0:
                    bad = sample
                continue
            kept[sample] = 1
            count += 1
            if weights != NULL:
                weight += weights[index]
    return count, weight if weights != NULL else <double>count, bad


cdef inline int64_t raw_index(const Rows* rows, Py_ssize_t sample) noexcept nogil:
    """The index as it stands, for comparing with ignore_index; an uint64 beyond int64 is negative and no class."""
    cdef const char* p = (rows.index + (sample // rows.inner) * rows.index_outer
                          + (sample % rows.inner) * rows.index_inner)
    if rows.index_size == 8:
        if not rows.index_signed and (<const uint64_t*>p)[0] > <uint64_t>9223372036854775807:
            return -9223372036854775807
        return (<const int64_t*>p)[0]
    if rows.index_size == 4:
        return (<const int32_t*>p)[0] if rows.index_signed else <int64_t>(<const uint32_t*>p)[0]
    if rows.index_size == 2:
        return (<const int16_t*>p)[0] if rows.index_signed else <int64_t>(<const uint16_t*>p)[0]
    return (<const int8_t*>p)[0] if rows.index_signed else <int64_t>(<const uint8_t*>p)[0]


def run(kind, tuple numbers, input, target, *, bint double_precision, bint soft, class_weight=None, keep=None,
        scale=None, double scale_all=1.0, double smoothing=0.0, double z_loss=0.0, double softcap=0.0, values=None,
        grad=None, hess=None, target_grad=None):
    """Compute one call over arrays (outer, classes, inner); everything was checked by ``losslib.softmax``."""
    cdef Rows rows
    cdef int k
    rows.kind = KINDS[kind]
    for k in range(len(numbers)):
        rows.numbers[k] = numbers[k]
    rows.outer, rows.classes, rows.inner = input.shape
    rows.samples = rows.outer * rows.inner
    place(&rows.input, input)
    rows.soft = soft
    if soft:
        place(&rows.target, target)
    else:
        place_index(&rows, target)
    rows.class_weight = <const double*>data_of(class_weight)
    rows.keep = <const unsigned char*>data_of(keep)
    rows.scale = <const double*>data_of(scale)
    rows.scale_all = scale_all
    rows.smoothing = smoothing
    rows.z_loss = z_loss
    rows.softcap = softcap
    rows.values = <double*>data_of(values)
    rows.want_grad = grad is not None
    if rows.want_grad:
        place(&rows.grad, grad)
    rows.want_hess = hess is not None
    if rows.want_hess:
        place(&rows.hess, hess)
    rows.want_target = target_grad is not None
    if rows.want_target:
        place(&rows.target_grad, target_grad)
    rows.double_precision = double_precision
    execute_rows(&rows, rows.samples * rows.classes > 2048)


# ---- plain calls -----------------------------------------------------------------------------------------------

cdef dict _quick_numbers = {
    CROSS_ENTROPY: (), FOCAL: ("gamma",), POLY: ("epsilon",), GENERALIZED: ("q",), SYMMETRIC: ("alpha", "beta"),
    NLL: (),
}

cdef enum:
    STACK_SAMPLES = 512    # samples whose values and marks need no allocation


cdef class Quick:
    """Answers the calls of one loss object on plain arrays: C-contiguous logits, int64 or int32 classes, no option.

    It returns NotImplemented for every other call, and for targets that are no classes, which ``losslib.softmax`` then
    answers or complains about.
    """

    cdef int kind
    cdef double[8] numbers
    cdef double smoothing, z_loss
    cdef bint ignoring, mean, zero_if_empty
    cdef int64_t ignored
    cdef object weight     # of each class, contiguous float64, or None

    def __cinit__(self, kind, values):
        cdef int k
        self.kind = KINDS[kind]
        for k, name in enumerate(_quick_numbers[self.kind]):
            self.numbers[k] = values[name]
        self.smoothing = values.get("label_smoothing") or 0.0
        self.z_loss = values.get("z_loss") or 0.0
        self.ignoring = values.get("ignore_index") is not None
        self.ignored = values["ignore_index"] if self.ignoring else 0
        self.weight = values.get("weight")
        self.mean = values["reduction"] == "mean"
        self.zero_if_empty = values.get("empty") == "zero"

    def __call__(self, int mode, tuple args, out):
        cdef object input = args[0], target = args[1], array
        cdef Rows rows
        cdef int ndim, k, type_number
        cdef Py_ssize_t sample, count = 0
        cdef int64_t index
        cdef double[STACK_SAMPLES] few_values
        cdef unsigned char[STACK_SAMPLES] few_marks
        cdef double* values = few_values
        cdef unsigned char* marks = few_marks
        cdef double total, divisor, weight_sum = 0.0
        cdef const double* weight = <const double*>data_of(self.weight)
        cdef Py_ssize_t* shape
        cdef Py_ssize_t* target_shape
        if mode == 3 or not (cnp.PyArray_CheckExact(input) and cnp.PyArray_CheckExact(target)):
            return NotImplemented
        type_number = cnp.PyArray_TYPE(<cnp.ndarray>input)
        ndim = cnp.PyArray_NDIM(<cnp.ndarray>input)
        if (type_number != cnp.NPY_FLOAT and type_number != cnp.NPY_DOUBLE) or ndim < 1:
            return NotImplemented
        if not (cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>input) and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>target)):
            return NotImplemented
        k = cnp.PyArray_TYPE(<cnp.ndarray>target)
        if k != cnp.NPY_INT64 and k != cnp.NPY_INT32:
            return NotImplemented
        shape = <Py_ssize_t*>cnp.PyArray_DIMS(<cnp.ndarray>input)
        target_shape = <Py_ssize_t*>cnp.PyArray_DIMS(<cnp.ndarray>target)
        if cnp.PyArray_NDIM(<cnp.ndarray>target) != ndim - 1:
            return NotImplemented
        rows.inner = 1
        if ndim == 1:
            rows.outer = 1
            rows.classes = shape[0]
        else:
            rows.outer = shape[0]
            rows.classes = shape[1]
            if target_shape[0] != shape[0]:
                return NotImplemented
        for k in range(2, ndim):
            rows.inner *= shape[k]
            if target_shape[k - 1] != shape[k]:
                return NotImplemented
        rows.samples = rows.outer * rows.inner
        if rows.samples == 0 or rows.classes == 0:
            return NotImplemented
        if weight != NULL and cnp.PyArray_SIZE(<cnp.ndarray>self.weight) != rows.classes:
            return NotImplemented

        array = out
        if mode == 0:
            if out is not None:
                return NotImplemented
        elif out is None:
            array = cnp.PyArray_SimpleNew(ndim, cnp.PyArray_DIMS(<cnp.ndarray>input), type_number)
        else:
            if not (cnp.PyArray_CheckExact(out) and cnp.PyArray_TYPE(<cnp.ndarray>out) == type_number
                    and cnp.PyArray_ISCARRAY(<cnp.ndarray>out) and cnp.PyArray_NDIM(<cnp.ndarray>out) == ndim):
                return NotImplemented
            for k in range(ndim):
                if cnp.PyArray_DIMS(<cnp.ndarray>out)[k] != shape[k]:
                    return NotImplemented
            if touches(out, input) and cnp.PyArray_DATA(<cnp.ndarray>out) != cnp.PyArray_DATA(<cnp.ndarray>input):
                return NotImplemented
            if touches(out, target):
                return NotImplemented

        rows.double_precision = type_number == cnp.NPY_DOUBLE
        rows.kind = self.kind
        for k in range(8):
            rows.numbers[k] = self.numbers[k]
        contiguous_view(&rows, &rows.input, input)
        rows.soft = False
        rows.index = <const char*>cnp.PyArray_DATA(<cnp.ndarray>target)
        rows.index_size = cnp.PyArray_ITEMSIZE(<cnp.ndarray>target)
        rows.index_signed = True
        rows.index_inner = rows.index_size
        rows.index_outer = rows.index_size * rows.inner
        rows.class_weight = weight
        rows.smoothing = self.smoothing
        rows.z_loss = self.z_loss
        rows.softcap = 0.0
        rows.scale = NULL
        rows.want_grad = mode != 0
        rows.want_hess = False
        rows.want_target = False
        if rows.want_grad:
            contiguous_view(&rows, &rows.grad, array)

        if rows.samples > STACK_SAMPLES:
            values = <double*>malloc(rows.samples * (sizeof(double) + 1))
            if values == NULL:
                raise MemoryError(f"no memory for the values of {rows.samples} samples")
            marks = <unsigned char*>(values + rows.samples)
        try:
            for sample in range(rows.samples):
                index = ((<const int64_t*>rows.index)[sample] if rows.index_size == 8
                         else (<const int32_t*>rows.index)[sample])
                marks[sample] = 1
                if self.ignoring and index == self.ignored:
                    marks[sample] = 0
                elif index < 0 or index >= rows.classes:
                    return NotImplemented
                else:
                    count += 1
                    if weight != NULL:
                        weight_sum += weight[index]
            rows.keep = NULL
            if count < rows.samples:
                rows.keep = marks
            divisor = (weight_sum if weight != NULL else <double>count) if self.mean else 1.0
            rows.scale_all = 1.0 / divisor
            rows.values = values
            execute_rows(&rows, rows.samples * rows.classes > 2048)
            total = row_sum(<const double*>values, rows.samples)
        finally:
            if values != few_values:
                free(values)
        if mode == 1:
            return array
        if count == 0 and self.mean:
            total = 0.0 if self.zero_if_empty else NAN
        else:
            total = total / divisor
        if mode == 0:
            return total
        return total, array


cdef inline bint touches(object a, object b) noexcept:
    cdef char* p = <char*>cnp.PyArray_DATA(<cnp.ndarray>a)
    cdef char* q = <char*>cnp.PyArray_DATA(<cnp.ndarray>b)
    return p < q + cnp.PyArray_NBYTES(<cnp.ndarray>b) and q < p + cnp.PyArray_NBYTES(<cnp.ndarray>a)


cdef inline void contiguous_view(const Rows* rows, View* view, object array) noexcept:
    view.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    view.type = FLOAT64 if rows.double_precision else FLOAT32
    view.inner = 8 if rows.double_precision else 4
    view.classes = view.inner * rows.inner
    view.outer = view.classes * rows.classes
