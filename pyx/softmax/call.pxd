"""One call of the softmax geometry, as its drivers read it: arrays (outer, classes, inner), options, class indices."""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from job cimport FLOAT32, FLOAT64

cdef struct View:
    char* data
    int type
    Py_ssize_t outer       # strides in bytes
    Py_ssize_t classes
    Py_ssize_t inner

cdef struct Rows

# What a kernel is made of takes the numbers of its loss first: a pointer to the struct that it reads them as.
# The loss of n samples as a function of the log-probability of their class: log-probabilities, values, slopes, n.
ctypedef void (*Pick)(const void*, const double*, double*, double*, Py_ssize_t) noexcept nogil
# A row in buffers: call, sample, logits (scratch afterwards), target (afterwards the target's gradient), gradient,
# scratch, Hessian. Returns the value.
ctypedef double (*RowFloat)(const void*, const Rows*, Py_ssize_t, float*, float*, float*, float*,
                            float*) noexcept nogil
ctypedef double (*RowDouble)(const void*, const Rows*, Py_ssize_t, double*, double*, double*, double*,
                             double*) noexcept nogil
# A tile of samples side by side, read and written: call, first sample, number of samples, lanes, room for the tile.
ctypedef void (*TileFloat)(const void*, const Rows*, Py_ssize_t, Py_ssize_t, Py_ssize_t, float*) noexcept nogil
ctypedef void (*TileDouble)(const void*, const Rows*, Py_ssize_t, Py_ssize_t, Py_ssize_t, double*) noexcept nogil
# Turns the logits of a row into those that the loss sees: call, sample, target class or -1, logits.
ctypedef void (*MapFloat)(const void*, const Rows*, Py_ssize_t, Py_ssize_t, float*) noexcept nogil
ctypedef void (*MapDouble)(const void*, const Rows*, Py_ssize_t, Py_ssize_t, double*) noexcept nogil
# Turns derivatives by what the loss saw into those by the logits: call, sample, target, logits, gradient, Hessian or
# NULL.
ctypedef void (*PullFloat)(const void*, const Rows*, Py_ssize_t, Py_ssize_t, const float*, float*,
                           float*) noexcept nogil
ctypedef void (*PullDouble)(const void*, const Rows*, Py_ssize_t, Py_ssize_t, const double*, double*,
                            double*) noexcept nogil

cdef struct Kernel:
    Pick pick              # NULL for a loss that is no function of the log-probability of one class
    bint linear            # the pick is -log p: label smoothing is a sum over the logits, z-loss and Hessian exist
    bint given             # log-probabilities come in: nothing but the number at the class is read
    double cost            # nanoseconds of a float32 number against a row of them
    RowFloat float32       # against a distribution; NULL if there is none
    RowDouble float64
    TileFloat tile32       # against a class, for few of them; NULL if there is none
    TileDouble tile64
    TileFloat soft32       # against a row, for few classes; NULL if there is none
    TileDouble soft64
    MapFloat map32         # NULL: the loss sees the logits as they are
    MapDouble map64
    PullFloat pull32
    PullDouble pull64
    int map_numbers        # the numbers of the map begin here

cdef struct Scan:
    Py_ssize_t count    # samples that count
    double weight       # sum of their class weights
    Py_ssize_t bad      # the first sample whose index is no class, or -1

cdef struct Rows:
    const Kernel* kernel
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
    const double* offset           # by class, what shifts its logits, or NULL
    const double* stretch          # by sample, what its shifted logits are multiplied by, or NULL
    const unsigned char* keep      # by sample, or NULL: 0 where nothing counts
    bint ignoring          # nor does a sample whose index is `ignored`
    int64_t ignored
    const double* scale            # of derivatives by sample, or NULL
    double scale_all
    double smoothing, z_loss
    double weight_total    # sum of the class weights; needed for label smoothing only
    Scan* found            # what a look at the class indices finds, by chunk; NULL if they are known
    unsigned char* counted         # what that look writes for each sample, or NULL
    double* values         # by sample, or NULL
    double* sums           # of the values, by SUM_PART samples; NULL if nobody asks
    bint want_grad, want_hess, want_target
    View grad
    View hess
    View target_grad
    bint streaming         # the gradient is stored past the caches
    bint double_precision
    Py_ssize_t chunk       # samples that one thread takes at a time
    Py_ssize_t chunks
    double cost            # nanoseconds of one thread
    void (*run)(Rows*, Py_ssize_t) noexcept nogil      # computes a chunk
    int failed             # a buffer could not be allocated


cdef inline char* address(const Rows* rows, const View* view, Py_ssize_t sample) noexcept nogil:
    return view.data + (sample // rows.inner) * view.outer + (sample % rows.inner) * view.inner


cdef inline bint is_native(const Rows* rows, const View* view) noexcept nogil:
    """True if the numbers have the type that is computed in."""
    return view.type == (FLOAT64 if rows.double_precision else FLOAT32)


cdef inline bint is_direct(const Rows* rows, const View* view) noexcept nogil:
    """True if, moreover, the classes of a sample are neighbours."""
    return is_native(rows, view) and view.classes == (8 if rows.double_precision else 4)


# ---- class indices ---------------------------------------------------------------------------------------------

cdef inline const char* index_address(const Rows* rows, Py_ssize_t sample) noexcept nogil:
    return rows.index + (sample // rows.inner) * rows.index_outer + (sample % rows.inner) * rows.index_inner


cdef inline int64_t raw_index(const Rows* rows, const char* p) noexcept nogil:
    """The index that stands here, read once into a local; an uint64 beyond int64 becomes a number that is no class."""
    if rows.index_size == 8:
        if not rows.index_signed and (<const uint64_t*>p)[0] > <uint64_t>9223372036854775807:
            return -9223372036854775807
        return (<const int64_t*>p)[0]
    if rows.index_size == 4:
        return (<const int32_t*>p)[0] if rows.index_signed else <int64_t>(<const uint32_t*>p)[0]
    if rows.index_size == 2:
        return (<const int16_t*>p)[0] if rows.index_signed else <int64_t>(<const uint16_t*>p)[0]
    return (<const int8_t*>p)[0] if rows.index_signed else <int64_t>(<const uint8_t*>p)[0]


cdef inline bint is_class(int64_t index, Py_ssize_t classes) noexcept nogil:
    return <uint64_t>index < <uint64_t>classes


cdef inline Py_ssize_t read_class(const Rows* rows, Py_ssize_t sample) noexcept nogil:
    """The class of a sample. What is no class becomes 0: whatever stands in memory by now, no access leaves the row."""
    cdef int64_t index = raw_index(rows, index_address(rows, sample))
    return index if is_class(index, rows.classes) else 0


cdef inline void read_raw(const Rows* rows, Py_ssize_t first, Py_ssize_t n, int64_t* index) noexcept nogil:
    """The indices of samples that stand at a constant distance: with inner > 1 they share their outer position."""
    cdef const char* p = index_address(rows, first)
    cdef Py_ssize_t step = rows.index_inner if rows.inner > 1 else rows.index_outer, i
    if rows.index_size == 8 and rows.index_signed and step == 8:
        for i in range(n):
            index[i] = (<const int64_t*>p)[i]
    else:
        for i in range(n):
            index[i] = raw_index(rows, p + i * step)


cdef inline bint counts(const Rows* rows, Py_ssize_t sample) noexcept nogil:
    if rows.keep != NULL and not rows.keep[sample]:
        return False
    return not (rows.ignoring and raw_index(rows, index_address(rows, sample)) == rows.ignored)


cdef inline double scale_of(const Rows* rows, Py_ssize_t sample) noexcept nogil:
    return rows.scale[sample] if rows.scale != NULL else rows.scale_all


cdef inline double sum_of_weights(const Rows* rows) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t c
    if rows.class_weight == NULL:
        return <double>rows.classes
    for c in range(rows.classes):
        total += rows.class_weight[c]
    return total
