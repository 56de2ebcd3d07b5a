"""One list while it is computed: its items, the options of the loss, and a workspace that belongs to the thread.

A kernel returns the value of the list and writes the derivatives of it by each score; the driver multiplies them by
what the call asks for. Everything is float64. Arrays of the workspace have LANES places more than the list has items.
"""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t

cdef extern from "losslib/lists/order.h" namespace "losslib" nogil:
    struct Place:
        uint64_t key
        Py_ssize_t item
    void sort_falling(const double* x, Py_ssize_t n, Place* places)

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    double exp_nonpositive(double x)
    double softplus(double x)
    double sigmoid(double x)

cdef extern from "losslib/lists/pairs.h" namespace "losslib" nogil:
    double score_difference(double a, double b)

cdef enum:
    LANES = 16             # items of a vector: a multiple of every register
    BLOCK = 64             # items whose buffers stay in registers and the first cache: four vectors
    ROOMS = 14             # arrays of the workspace

cdef enum Kind:
    LOGISTIC = 0
    HINGE = 1
    SQUARED_HINGE = 2
    SOFT_ZERO_ONE = 3
    SQUARED_ERROR = 4
    PINBALL = 5
    SQUARED_PINBALL = 6
    LAMBDA = 7             # logistic, of pairs by rank
    LAMBDA_DOUBLED = 8     # the same with XGBoost's second derivative
    COUNT = 9              # the pairs of different labels
    BY_TIME = 18           # logistic, of each event and those who are observed beyond it
    SOFTMAX = 10
    UNIQUE_SOFTMAX = 11
    PLACKETT_LUCE = 12
    XE_NDCG = 13
    CENTRED_PAIRS = 14     # squared errors of all ordered pairs
    CENTRED = 15           # squared errors less their mean
    AUC = 16
    APPROX_NDCG = 20
    APPROX_MRR = 21
    NEURAL_NDCG = 22
    AUC_MARGIN = 23        # every item and the centres of two classes

# What a loss is told beside the items of a list.
cdef struct Options:
    int kind
    int weighting          # of pairs: see pairs.pxd
    int flags              # of one kernel each
    double sigma           # or margin, tau, beta, temperature: the number of the loss
    double epsilon         # or mu, tolerance: its second number
    Py_ssize_t topn        # ranks that count
    Py_ssize_t steps       # iterations at most
    const double* discount     # 1/log2(2 + k) at k, for all items of the longest list; NULL where no loss looks

cdef struct List:
    Py_ssize_t n
    const double* score
    const double* label
    const double* gain     # NULL where the loss looks at labels alone
    const double* weight   # of items; NULL for 1
    double* grad
    double* hess
    double* each           # of BY_TIME: the value of each item
    Place* places          # room for two of each item
    double* room[14]
    double* matrix         # of the losses that need one
    const double* centers  # of AUC_MARGIN: a, b, alpha, share of positives
    double* slopes         # and the derivatives by the first three


cdef inline double item_weight(const List* l, Py_ssize_t i) noexcept nogil:
    return 1.0 if l.weight == NULL else l.weight[i]


cdef inline double add_block_lanes(double* lane) noexcept nogil:
    """Add the numbers of a block, always in the same order; the block is used up."""
    cdef int k
    for k in range(32):
        lane[k] += lane[k + 32]
    for k in range(16):
        lane[k] += lane[k + 16]
    for k in range(8):
        lane[k] += lane[k + 8]
    for k in range(4):
        lane[k] += lane[k + 4]
    return (lane[0] + lane[2]) + (lane[1] + lane[3])


cdef inline Py_ssize_t top_item(const double* x, Py_ssize_t n) noexcept nogil:
    """The first of the largest; a NaN is as large as nothing."""
    cdef Py_ssize_t i, best = 0
    for i in range(1, n):
        if x[i] > x[best]:
            best = i
    return best


# exp(s_i - top) of a list, their sum as 1 + rest, and which item the 1 belongs to.
cdef struct Shares:
    double top
    double rest
    Py_ssize_t first


cdef inline Shares exponentials(const double* s, Py_ssize_t n, double beta, double* e) noexcept nogil:
    """Fill e with exp(beta * (s - top)); without a score above -inf all of them are 0."""
    cdef Shares found
    cdef Py_ssize_t i
    cdef double sum = 0.0
    found.first = top_item(s, n)
    found.top = s[found.first]
    if found.top == -INFINITY:
        for i in range(n):
            e[i] = 0.0
        found.rest = -1.0          # a sum of 0
        return found
    for i in range(n):
        e[i] = exp_nonpositive(beta * score_difference(s[i], found.top))
    for i in range(n):
        if i != found.first:
            sum += e[i]
    found.rest = sum
    return found
