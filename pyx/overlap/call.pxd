"""One call of the overlap geometry: arrays of (samples, classes, positions), read row by row in any type and layout.

A row is a run of positions of one sample and one class. Class indices have no class axis; rows of ones and zeros are
made of them while they are needed.
"""

from libc.stdint cimport (
    INT64_MIN, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
)

from blocks cimport bytes_to_alignment, narrow_run, real, stream, stream_bytes, widen_run
from job cimport BOOL, FLOAT32, FLOAT64

cdef enum:
    MAX_LANES = 512      # positions of a tile, at most

    # Element types beside the float types and bool of job.pxd.
    INT8 = 5
    UINT8 = 6
    INT16 = 7
    UINT16 = 8
    INT32 = 9
    UINT32 = 10
    INT64 = 11
    UINT64 = 12

    # What becomes of the input.
    PROBABILITIES = 0
    SIGMOID = 1
    SOFTMAX = 2

    # How a prediction p and a target t are counted.
    PRODUCT = 0          # common p t, false positive p (1 - t), false negative (1 - p) t
    SQUARED = 1          # common p t, and (p - t)^2 for both errors
    MINIMUM = 2          # common min(p, t), false positive max(p - t, 0), false negative max(t - p, 0)

    # What is added to the ratio.
    NOTHING = 0
    CROSS_ENTROPY = 1    # of the logits: softmax over the classes, or binary for each of them
    UNIFIED_FOCAL = 2    # -log p of the target's class, the background's times (1 - p)^gamma

    # Places of a table of sums, behind the four sums of each class.
    COUNTS = 4           # common, false positive, false negative, target
    ADDEND = 0
    DIVISOR = 1          # what the mean of the addend divides by
    POSITIONS = 2        # number of positions, weighted
    EXTRAS = 3

    # Bits of what left its domain.
    BAD_INPUT = 1
    BAD_TARGET = 2
    BAD_CLASS = 4

cdef struct View:
    char* data           # NULL if there is no such array
    int type
    Py_ssize_t samples   # bytes from one to the next
    Py_ssize_t classes
    Py_ssize_t positions

cdef struct Job:
    Py_ssize_t samples
    Py_ssize_t classes
    Py_ssize_t positions
    Py_ssize_t lanes     # positions of a tile: a multiple of 16
    Py_ssize_t chunk     # positions of a task: a multiple of lanes
    Py_ssize_t chunks    # tasks of a sample
    Py_ssize_t tasks
    bint wide            # computed in float64
    int activation
    int counting
    int addend
    bint check
    bint indices         # the target holds class indices
    bint ignoring        # indices, or the numbers of a mask of one class, that mean a position does not count
    int64_t ignored
    View input
    View target
    View keep            # bool: positions that count
    View weight          # float64
    View field           # derivatives by the probabilities, where they are no matter of counts
    View grad
    View target_grad
    bint streaming       # the gradient is too large for the caches
    unsigned char* kept  # for each task: whether the first pass kept in the gradient what the second needs; or NULL
    double clip          # probabilities are held in [clip, 1 - clip]; 0: not
    const double* class_weight      # of the addend, or NULL
    double smoothing     # of the target of the cross-entropy
    double delta         # of the unified focal loss
    double gamma
    const double* distances         # (classes, classes): see generalized Wasserstein Dice; or NULL
    const double* slopes            # (samples, classes, 3): derivatives of the loss by the counts
    const double* addend_scale      # of the derivatives of the addend, for each sample; or NULL
    double* partials     # for each task a table of sums
    int* violations      # for each task
    char* scratch        # for each thread
    Py_ssize_t scratch_size


cdef inline char* address(const View* view, Py_ssize_t n, Py_ssize_t c, Py_ssize_t first) noexcept nogil:
    return view.data + n * view.samples + c * view.classes + first * view.positions


ctypedef fused integer:
    uint8_t
    int8_t
    int16_t
    uint16_t
    int32_t
    uint32_t
    int64_t


cdef inline void integers_as_real(const integer* tag, const char* source, Py_ssize_t stride, real* buffer,
                                  Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    if stride == sizeof(integer):       # of neighbours the compiler makes vectors
        for i in range(n):
            buffer[i] = <real>(<const integer*>source)[i]
    else:
        for i in range(n):
            buffer[i] = <real>(<const integer*>(source + i * stride))[0]


cdef inline void integers_as_int64(const integer* tag, const char* source, Py_ssize_t stride, int64_t* buffer,
                                   Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    if stride == sizeof(integer):
        for i in range(n):
            buffer[i] = <int64_t>(<const integer*>source)[i]
    else:
        for i in range(n):
            buffer[i] = <int64_t>(<const integer*>(source + i * stride))[0]


cdef inline void read_indices(const View* view, Py_ssize_t n, Py_ssize_t first, int64_t* buffer,
                              Py_ssize_t count) noexcept nogil:
    """Class indices as int64; one that does not fit becomes the lowest, which is no class."""
    cdef const char* source = address(view, n, 0, first)
    cdef Py_ssize_t stride = view.positions, i
    cdef uint64_t number
    if view.type == INT64:
        integers_as_int64(<const int64_t*>NULL, source, stride, buffer, count)
    elif view.type == UINT8 or view.type == BOOL:
        integers_as_int64(<const uint8_t*>NULL, source, stride, buffer, count)
    elif view.type == INT32:
        integers_as_int64(<const int32_t*>NULL, source, stride, buffer, count)
    elif view.type == INT8:
        integers_as_int64(<const int8_t*>NULL, source, stride, buffer, count)
    elif view.type == INT16:
        integers_as_int64(<const int16_t*>NULL, source, stride, buffer, count)
    elif view.type == UINT16:
        integers_as_int64(<const uint16_t*>NULL, source, stride, buffer, count)
    elif view.type == UINT32:
        integers_as_int64(<const uint32_t*>NULL, source, stride, buffer, count)
    else:
        for i in range(count):
            number = (<const uint64_t*>(source + i * stride))[0]
            buffer[i] = INT64_MIN if number >> 63 else <int64_t>number


cdef inline bint stands_as(const View* view, real tag) noexcept nogil:
    """Whether `read_row` returns where a row stands in the array itself."""
    return view.type == (FLOAT32 if sizeof(real) == 4 else FLOAT64) and view.positions == sizeof(real)


cdef inline const real* read_row(const View* view, Py_ssize_t n, Py_ssize_t c, Py_ssize_t first, Py_ssize_t count,
                                 real* buffer) noexcept nogil:
    """Return where the row stands as `real`: in the array itself if possible, else in the buffer."""
    cdef const char* source = address(view, n, c, first)
    cdef Py_ssize_t stride = view.positions, i
    if stands_as(view, <real>0):
        return <const real*>source
    if view.type <= FLOAT64:
        widen_run(source, stride, view.type, buffer, count)
    elif view.type == UINT8 or view.type == BOOL:
        integers_as_real(<const uint8_t*>NULL, source, stride, buffer, count)
    elif view.type == INT64:
        integers_as_real(<const int64_t*>NULL, source, stride, buffer, count)
    elif view.type == INT32:
        integers_as_real(<const int32_t*>NULL, source, stride, buffer, count)
    elif view.type == INT8:
        integers_as_real(<const int8_t*>NULL, source, stride, buffer, count)
    elif view.type == INT16:
        integers_as_real(<const int16_t*>NULL, source, stride, buffer, count)
    elif view.type == UINT16:
        integers_as_real(<const uint16_t*>NULL, source, stride, buffer, count)
    elif view.type == UINT32:
        integers_as_real(<const uint32_t*>NULL, source, stride, buffer, count)
    else:
        for i in range(count):
            buffer[i] = <real>(<const uint64_t*>(source + i * stride))[0]
    return buffer


cdef inline void write_row(const Job* job, const View* view, Py_ssize_t n, Py_ssize_t c, Py_ssize_t first,
                           Py_ssize_t count, const real* row) noexcept nogil:
    cdef char* target = address(view, n, c, first)
    if job.streaming:       # only rows of this type in one piece
        stream(target, <const char*>row, count * sizeof(real))
    else:
        narrow_run(row, target, view.positions, view.type, count)


cdef inline Py_ssize_t first_count(const Job* job, Py_ssize_t n, Py_ssize_t first) noexcept nogil:
    """Positions of the first tile from here on whose gradient is written.

    Where it is stored past the caches, the tiles behind it begin with a whole vector, so that none is written in two
    parts: arrays of NumPy begin 16 bytes after a multiple of 64.
    """
    cdef int apart
    if not job.streaming:
        return job.lanes
    apart = bytes_to_alignment(address(&job.grad, n, 0, first))
    if apart == 0:
        return job.lanes
    return job.lanes - (stream_bytes - apart) // job.grad.positions
