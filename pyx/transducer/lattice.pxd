"""The lattice of a sample, in float64 and log space: its place in the workspace, and the passes over its diagonals.

``run_alpha`` and ``run_beta`` need nothing of each other and run in two threads; ``run_slopes`` then turns the
log-probabilities of the steps into derivatives.
"""

from libc.math cimport INFINITY, log1p

from transducer.call cimport Lattice, Transducer, blanks, emissions, last_node, node

cdef extern from "losslib/transducer/transducer.h" namespace "losslib" nogil:
    T log_add[T](T a, T b)
    T exp[T](T x)
    const double nearly_certain
    cppclass NodeSlopes:
        double share
        double blank
        double emit
    NodeSlopes slopes_of_node(double alpha, double blank, double emit, double after_blank, double after_emit,
                              double log_likelihood, double emphasis, bint fused)

cdef enum:
    VECTOR = 8             # doubles to which a diagonal is rounded up


cdef inline Py_ssize_t stride_of(Py_ssize_t frames, Py_ssize_t columns) noexcept nogil:
    """The length of a diagonal in whole vectors, and one for the edge."""
    return (min(frames, columns) + VECTOR - 1) // VECTOR * VECTOR + 1


cdef inline Py_ssize_t doubles_needed(Py_ssize_t frames, Py_ssize_t columns, bint want_grad) noexcept nogil:
    """The workspace of a sample: arrays of diagonals with one more row's edge, and three numbers of each softmax."""
    cdef Py_ssize_t diagonals = (frames + columns - 1) * stride_of(frames, columns) + 1
    if frames == 0:
        return 0
    return 4 * diagonals + 3 * frames * columns if want_grad else 3 * diagonals + frames * columns


cdef inline void lay_out(const Transducer* job, Lattice* lattice, Py_ssize_t sample, double* workspace) noexcept nogil:
    """Place the arrays of a sample in the workspace and surround the lattice with steps that cannot be taken."""
    cdef Py_ssize_t size, i
    lattice.sample = sample
    lattice.frames = job.frame_counts[sample]
    lattice.columns = job.target_counts[sample] + 1
    lattice.log_likelihood = 0.0 if lattice.columns == 1 else -INFINITY
    lattice.value = 0.0 - lattice.log_likelihood
    if lattice.frames == 0:
        return
    lattice.by_frame = lattice.frames < lattice.columns
    lattice.stride = stride_of(lattice.frames, lattice.columns)
    lattice.diagonals = lattice.frames + lattice.columns - 1
    size = lattice.diagonals * lattice.stride + 1
    lattice.stay = workspace
    lattice.step = workspace + size
    lattice.alpha = workspace + 2 * size
    lattice.outside = workspace + 3 * size
    lattice.beta = workspace + 3 * size + lattice.frames * lattice.columns
    lattice.softmax = lattice.beta + size
    for i in range(2 * size):
        workspace[i] = -INFINITY


cdef inline void run_alpha(Lattice* lattice) noexcept nogil:
    """alpha by diagonals from the start; the log-likelihood is that of the last node and its blank."""
    cdef Py_ssize_t d, k, stride = lattice.stride
    cdef const double* stay
    cdef const double* step
    cdef const double* before
    cdef double* here = lattice.alpha
    for k in range(stride + 1):
        here[k] = -INFINITY
    here[1] = 0.0
    for d in range(1, lattice.diagonals):
        before = here
        stay = lattice.stay + (d - 1) * stride
        step = lattice.step + (d - 1) * stride
        here = lattice.alpha + d * stride
        for k in range(1, stride):
            here[k] = log_add(before[k] + stay[k], before[k - 1] + step[k - 1])
        here[stride] = -INFINITY        # the edge of the next diagonal
    lattice.log_likelihood = lattice.alpha[last_node(lattice)] + blanks(lattice)[last_node(lattice)]


cdef inline double missed(const Lattice* lattice) noexcept nogil:
    """The probability of other labels, without the difference to 1: that of all steps that leave the lattice."""
    cdef double missing = 0.0
    cdef Py_ssize_t t, u
    for t in range(lattice.frames):
        for u in range(lattice.columns):
            missing += exp(lattice.alpha[node(lattice, t, u)]) * lattice.outside[t * lattice.columns + u]
    return missing


cdef inline bint blank_is_no_label(const Transducer* job, Py_ssize_t sample) noexcept nogil:
    """True if the two steps of every node are different classes: only check=False lets others pass."""
    cdef Py_ssize_t u
    for u in range(job.target_counts[sample]):
        if job.targets[sample * (job.columns - 1) + u] == job.blank:
            return False
    return True


cdef inline double value_of(const Transducer* job, const Lattice* lattice) noexcept nogil:
    """The loss of a sample, while alpha is still there."""
    cdef double value = 0.0 - lattice.log_likelihood
    if job.fused and value < nearly_certain and blank_is_no_label(job, lattice.sample):
        value = -log1p(-missed(lattice))
    return value


cdef inline void run_beta(Lattice* lattice) noexcept nogil:
    """beta by diagonals from the end."""
    cdef Py_ssize_t d = lattice.diagonals - 1, k, stride = lattice.stride
    cdef const double* stay
    cdef const double* step
    cdef const double* after
    cdef double* here = lattice.beta + d * stride
    for k in range(stride + 1):
        here[k] = -INFINITY
    lattice.beta[last_node(lattice)] = blanks(lattice)[last_node(lattice)]
    while d > 0:
        d -= 1
        after = here
        stay = lattice.stay + d * stride
        step = lattice.step + d * stride
        here = lattice.beta + d * stride
        for k in range(1, stride):
            here[k] = log_add(after[k] + stay[k], after[k + 1] + step[k])
        here[0] = -INFINITY             # the edge of the diagonal before


cdef inline void run_slopes(const Transducer* job, Lattice* lattice) noexcept nogil:
    """Derivatives by the logits of the two steps, in the place of their log-probabilities."""
    cdef Py_ssize_t d, k, stride = lattice.stride, last = last_node(lattice)
    cdef double* blank
    cdef double* emit
    cdef double* alpha
    cdef const double* after
    cdef Py_ssize_t blank_moves = 1 if lattice.by_frame else 0
    cdef double likelihood = lattice.log_likelihood, emphasis = 1.0 + job.fastemit
    cdef bint fused = job.fused
    cdef NodeSlopes slopes
    for d in range(lattice.diagonals - 1):
        blank = blanks(lattice) + d * stride
        emit = emissions(lattice) + d * stride
        alpha = lattice.alpha + d * stride
        after = lattice.beta + (d + 1) * stride
        for k in range(1, stride):
            slopes = slopes_of_node(alpha[k], blank[k], emit[k], after[k + blank_moves], after[k + 1 - blank_moves],
                                    likelihood, emphasis, fused)
            alpha[k] = slopes.share
            blank[k] = slopes.blank
            emit[k] = slopes.emit
    blank = blanks(lattice)
    emit = emissions(lattice)
    slopes = slopes_of_node(lattice.alpha[last], blank[last], emit[last], 0.0, -INFINITY, likelihood, emphasis, fused)
    lattice.alpha[last] = slopes.share
    blank[last] = slopes.blank
    emit[last] = slopes.emit
