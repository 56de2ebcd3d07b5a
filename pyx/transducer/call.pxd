"""One call of the transducer geometry, as its passes read it: a row of classes for each node of a sample's lattice.

A diagonal d = t + u of the lattice depends on its neighbour only and is one vector. It is indexed by k, the shorter
axis of the lattice, and stands in memory as [d][k] with -inf around it, so that the ends need no case of their own:
the step that leaves k alone is `stay`, the one to k + 1 is `step`; with the labels as the shorter axis these are
blank and emit.
"""

from libc.stdint cimport int64_t

from blocks cimport real, widen_run
from job cimport FLOAT32, FLOAT64

cdef struct View:
    char* data
    int type
    Py_ssize_t[4] strides    # in bytes: sample, frame, label, class

# One sample of a group and its part of the workspace.
cdef struct Lattice:
    Py_ssize_t sample
    Py_ssize_t frames, columns   # T and U + 1 of this sample; no frames: no lattice
    bint by_frame          # the shorter axis, k, is the frame
    Py_ssize_t diagonals, stride
    double* stay           # [d][k], data from offset 1 of a diagonal on; log-probabilities, then derivatives
    double* step
    double* alpha          # later the share of all paths that leave the node
    double* beta
    double* outside        # [t][u]: the part of the row that leaves the lattice; for logits
    double* softmax        # [t][u]: the largest logit of the row, and 1 / sum(exp(logit - largest))
    double log_likelihood
    double value           # minus that, or what `missed` makes of it

cdef struct Transducer:
    Py_ssize_t samples, frames, columns, classes     # N, T, U + 1, C
    View logits
    View grad
    bint want_grad, want_value
    const int64_t* targets         # (N, U)
    const int64_t* frame_counts    # (N,); 0 for a sample that is masked out
    const int64_t* target_counts
    Py_ssize_t blank
    bint fused                     # the input is logits, and log-softmax is part of the loss
    double clamp, fastemit
    const double* scale            # of the gradient by sample
    double* values
    bint double_precision
    Py_ssize_t chunk, chunks       # frames of a task; chunks of a sample
    Lattice* lattices              # of the group
    char* buffers                  # for each thread: a row
    int phase                      # the pass that runs


# ---- rows --------------------------------------------------------------------------------------------------------

cdef inline char* address(const View* view, Py_ssize_t sample, Py_ssize_t t, Py_ssize_t u) noexcept nogil:
    return view.data + sample * view.strides[0] + t * view.strides[1] + u * view.strides[2]


cdef inline bint is_direct(const View* view, real tag) noexcept nogil:
    """True if the classes of a row are neighbours in the type that is computed in."""
    return view.strides[3] == sizeof(real) and view.type == (FLOAT32 if sizeof(real) == 4 else FLOAT64)


cdef inline bint keeps_terms(const Transducer* job, real tag) noexcept nogil:
    """True if the exponentials of the first pass stay where the gradient will stand."""
    return job.want_grad and is_direct(&job.grad, tag)


cdef inline double element(const View* view, const char* row, Py_ssize_t c, real tag) noexcept nogil:
    """One logit of a row."""
    cdef double value = 0.0
    if is_direct(view, tag):
        return <double>(<const real*>row)[c]
    widen_run(row + c * view.strides[3], 0, view.type, &value, 1)
    return value


# ---- nodes -------------------------------------------------------------------------------------------------------

cdef inline Py_ssize_t node(const Lattice* lattice, Py_ssize_t t, Py_ssize_t u) noexcept nogil:
    """Where a node stands in the arrays of diagonals."""
    return (t + u) * lattice.stride + 1 + (t if lattice.by_frame else u)


cdef inline double* blanks(const Lattice* lattice) noexcept nogil:
    return lattice.step if lattice.by_frame else lattice.stay


cdef inline double* emissions(const Lattice* lattice) noexcept nogil:
    return lattice.stay if lattice.by_frame else lattice.step


cdef inline Py_ssize_t last_node(const Lattice* lattice) noexcept nogil:
    return node(lattice, lattice.frames - 1, lattice.columns - 1)
