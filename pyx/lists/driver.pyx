"""Ranking: losses of lists, whose items are compared with each other.

A list is sorted in a workspace of its thread, then computed by the kernel of the loss (``lists/pairs.pxd``,
``lists/rows.pxd``, ``lists/ranks.pxd``). Short lists are handed out together; where there are fewer long ones than
threads, all threads share the pairs of one after the other. Everything is computed in float64 from contiguous arrays
that ``losslib.geometries.lists`` prepares; threads change no bit.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.math cimport log2
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from gate cimport ThreadGate
from lists.list cimport (
    APPROX_MRR, APPROX_NDCG, AUC, AUC_MARGIN, BY_TIME, CENTRED, CENTRED_PAIRS, COUNT, HINGE, LAMBDA, LAMBDA_DOUBLED,
    LANES, LOGISTIC, NEURAL_NDCG, PINBALL, PLACKETT_LUCE, ROOMS, SOFT_ZERO_ONE, SOFTMAX, SQUARED_ERROR, SQUARED_HINGE,
    SQUARED_PINBALL, UNIQUE_SOFTMAX, XE_NDCG, List, Options, Place, score_difference,
)
from lists.margin_area cimport auc_margin
from lists.pairs cimport (
    NDCG, STRIPS, HingePair, LogisticPair, Pairs, PairTerm, SoftZeroOnePair, SquaredHingePair, add_strip,
    arrange_pairs, count_pairs, count_strips, give_back, is_of_pairs, open_strip, pairs_of_list, run_strip, strip_start,
)
from lists.ranks cimport approx_mrr, approx_ndcg
from lists.rows cimport area, centred, centred_pairs, plackett_luce, softmax_list, unique_softmax, xe_ndcg
from lists.sinkhorn cimport neural_ndcg
from memory cimport data_of
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    TASK = 20000           # nanoseconds that lists which are handed out together take, about

cdef dict _kinds = {
    "logistic": LOGISTIC, "hinge": HINGE, "squared_hinge": SQUARED_HINGE, "soft_zero_one": SOFT_ZERO_ONE,
    "squared_error": SQUARED_ERROR, "pinball": PINBALL, "squared_pinball": SQUARED_PINBALL, "lambda": LAMBDA,
    "lambda_doubled": LAMBDA_DOUBLED, "count": COUNT, "softmax": SOFTMAX, "unique_softmax": UNIQUE_SOFTMAX,
    "plackett_luce": PLACKETT_LUCE, "xe_ndcg": XE_NDCG, "centred_pairs": CENTRED_PAIRS, "centred": CENTRED,
    "auc": AUC, "by_time": BY_TIME, "approx_ndcg": APPROX_NDCG, "approx_mrr": APPROX_MRR, "neural_ndcg": NEURAL_NDCG,
    "auc_margin": AUC_MARGIN,
}

# One call: the items of all lists, one list after the other.
cdef struct Job:
    Options options
    const double* score
    const double* label
    const double* gain
    const double* weight
    const int64_t* offsets         # of the lists, and of the end
    const double* factor           # of the derivatives of each list
    double* values
    double* grad
    double* hess
    double* each
    const double* centers          # four of each list
    double* slopes                 # three of each list
    Py_ssize_t longest
    Py_ssize_t* starts             # the first list of each task
    char* rooms                    # a workspace for each thread
    Py_ssize_t room_bytes


cdef inline const double* at_item(const double* data, Py_ssize_t item) noexcept nogil:
    if data == NULL:
        return NULL
    return data + item


# Nanoseconds that a call takes, about.
cdef struct Costs:
    double all
    double longest                 # of the longest list
    double strips                  # of pairs that threads can share


cdef inline double cost_of_order(Py_ssize_t n) noexcept nogil:
    """Nanoseconds that sorting a list takes."""
    return 60.0 * n


cdef inline double cost_of(const Options* o, Py_ssize_t n) noexcept nogil:
    """Nanoseconds that a list takes, about."""
    cdef double items = n
    if o.kind in (SOFTMAX, XE_NDCG, CENTRED, CENTRED_PAIRS, AUC_MARGIN):
        return 10.0 * items
    items = cost_of_order(n)
    if o.kind in (LAMBDA, LAMBDA_DOUBLED):
        return items + 2.0 * n * <double>min(n, o.topn)
    if o.kind < LAMBDA or o.kind == BY_TIME:
        return items + 1.0 * n * <double>n
    if o.kind in (APPROX_NDCG, APPROX_MRR):
        return items + 3.0 * n * <double>n
    if o.kind == NEURAL_NDCG:
        return items + 4.0 * o.steps * n * <double>n
    return items


cdef inline double compute_list(const Options* o, List* l) noexcept nogil:
    if is_of_pairs(o.kind):
        return pairs_of_list(o, l)
    if o.kind == COUNT:
        return count_pairs(o, l)
    if o.kind == SOFTMAX:
        return softmax_list(o, l)
    if o.kind == UNIQUE_SOFTMAX:
        return unique_softmax(o, l)
    if o.kind == PLACKETT_LUCE:
        return plackett_luce(o, l)
    if o.kind == XE_NDCG:
        return xe_ndcg(o, l)
    if o.kind == CENTRED_PAIRS:
        return centred_pairs(o, l)
    if o.kind == CENTRED:
        return centred(o, l)
    if o.kind == AUC:
        return area(o, l)
    if o.kind == AUC_MARGIN:
        return auc_margin(o, l)
    if o.kind == APPROX_NDCG:
        return approx_ndcg(o, l)
    if o.kind == NEURAL_NDCG:
        return neural_ndcg(o, l)
    return approx_mrr(o, l)


cdef inline void write(double* target, const double* source, Py_ssize_t n, double factor) noexcept nogil:
    """Write the derivatives of a list; one that does not count has the factor 0, whatever its derivatives are."""
    cdef Py_ssize_t i
    if target == NULL:
        return
    for i in range(n):
        target[i] = source[i] * factor if factor != 0 else 0.0


cdef inline List seat_of(const Job* job, int seat) noexcept nogil:
    """A list without items in the workspace of a seat."""
    cdef List l
    cdef Py_ssize_t k, width = job.longest + LANES
    cdef char* room = job.rooms + seat * job.room_bytes
    l.n = 0
    l.places = <Place*>room
    room += 2 * width * sizeof(Place)
    for k in range(ROOMS):
        l.room[k] = <double*>room + k * width
    l.grad = <double*>room + ROOMS * width
    l.hess = l.grad + width
    l.matrix = l.hess + width
    return l


cdef inline void open_list(const Job* job, List* l, Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t first = job.offsets[k]
    l.n = job.offsets[k + 1] - first
    l.score = job.score + first
    l.label = job.label + first
    l.gain = at_item(job.gain, first)
    l.weight = at_item(job.weight, first)
    l.each = <double*>at_item(job.each, first)
    l.centers = at_item(job.centers, 4 * k)
    l.slopes = <double*>at_item(job.slopes, 3 * k)


cdef inline void close_list(const Job* job, List* l, Py_ssize_t k, double value) noexcept nogil:
    cdef double factor = job.factor[k] if job.factor != NULL else 1.0
    write(<double*>at_item(job.grad, job.offsets[k]), l.grad, l.n, factor)
    write(<double*>at_item(job.hess, job.offsets[k]), l.hess, l.n, factor)
    if job.values != NULL:
        job.values[k] = value


cdef void run_lists(const Job* job, Py_ssize_t start, Py_ssize_t stop, int seat) noexcept nogil:
    """Compute the tasks start … stop - 1 in the workspace of a seat."""
    cdef List l = seat_of(job, seat)
    cdef Py_ssize_t k
    for k in range(job.starts[start], job.starts[stop]):
        open_list(job, &l, k)
        close_list(job, &l, k, compute_list(&job.options, &l) if l.n > 0 else 0.0)


cdef Py_ssize_t cut_into_tasks(Job* job, Py_ssize_t lists, Costs* costs) noexcept nogil:
    """Put neighbouring lists together; return how many tasks there are."""
    cdef Py_ssize_t k, tasks = 0, n
    cdef double together = TASK, cost
    costs.all = costs.longest = costs.strips = 0.0
    for k in range(lists):
        n = job.offsets[k + 1] - job.offsets[k]
        job.longest = max(job.longest, n)
        cost = cost_of(&job.options, n)
        costs.all += cost
        costs.longest = max(costs.longest, cost)
        if is_of_pairs(job.options.kind) and count_strips(&job.options, n) > 1:
            costs.strips += cost - cost_of_order(n)
        if together >= TASK:
            job.starts[tasks] = k
            tasks += 1
            together = 0.0
        together += cost
    job.starts[tasks] = lists
    return tasks


# ---- lists that several threads share ----------------------------------------------------------------------------

cdef struct Sharing:
    const Options* options
    List* list
    Pairs* all
    Pairs* strips
    double* sums                   # of all strips, two arrays each
    Py_ssize_t count, width


cdef void run_strips(const Sharing* s, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t k, first, last
    cdef double* sums
    for k in range(start, stop):
        first = strip_start(s.options, s.list.n, k, s.count)
        last = strip_start(s.options, s.list.n, k + 1, s.count)
        sums = s.sums + 2 * k * s.width
        open_strip(s.all, &s.strips[k], sums, sums + s.width, first, s.list.n)
        run_strip(s.options, s.list, &s.strips[k], first, last)


cdef bint share_lists(Job* job, Py_ssize_t count, double nanoseconds):
    """Compute one list after the other, all threads each: the same bits as a list on one thread. False: no memory."""
    cdef int width
    cdef FloatMode mode = get_float_mode()
    cdef List l
    cdef Pairs all
    cdef Sharing s
    cdef Py_ssize_t k, i, strips
    with nogil:
        width = _gate.begin(nanoseconds)
        s.options, s.list, s.all, s.width = &job.options, &l, &all, job.longest + LANES
        s.sums = <double*>malloc(2 * STRIPS * s.width * sizeof(double))
        s.strips = <Pairs*>malloc(STRIPS * sizeof(Pairs))
        if s.sums != NULL and s.strips != NULL:
            l = seat_of(job, 0)
            for k in range(count):
                open_list(job, &l, k)
                s.count = strips = count_strips(&job.options, l.n)
                if strips == 1:
                    close_list(job, &l, k, compute_list(&job.options, &l) if l.n > 0 else 0.0)
                    continue
                all = arrange_pairs(&job.options, &l)
                if width == 1:
                    run_strips(&s, 0, strips)
                else:
                    for i in prange(count_runs(strips, width), schedule="dynamic", num_threads=width):
                        set_float_mode(mode)
                        run_strips(&s, first_task(i, strips, width), first_task(i + 1, strips, width))
                for i in range(strips):
                    add_strip(&all, &s.strips[i], strip_start(&job.options, l.n, i, strips), l.n)
                close_list(job, &l, k, give_back(&job.options, &l, &all))
        if width > 1:
            _gate.end()
        free(s.strips)
        free(s.sums)
    return s.sums != NULL and s.strips != NULL


# ---- calls -------------------------------------------------------------------------------------------------------

cdef inline void fill_discounts(double* discount, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(count):
        discount[k] = 1.0 / log2(2.0 + k)


def lists(str kind, score, label, gain, weight, offsets, *, factor, int weighting=0, int flags=0, double sigma=1.0,
          double epsilon=0.0, Py_ssize_t topn=0, Py_ssize_t steps=0, values, grad=None, hess=None, each=None,
          centers=None, slopes=None):
    """Compute losses of lists, which lie one after the other in arrays of all items.

    ``offsets`` int64 are the first items of the lists and the end; all else is contiguous float64, None where there is
    none. ``topn`` 0 is all ranks. ``each`` takes the values of the items of "by_time". "auc_margin" needs the four
    ``centers`` of each list, and ``slopes`` takes the derivatives by three of them.
    """
    cdef Job job
    cdef Py_ssize_t count = len(offsets) - 1, tasks, i
    cdef int width = 1
    cdef Costs costs
    cdef double* discount = NULL
    cdef bint good = False, shared = False, discounts
    cdef FloatMode mode = get_float_mode()
    job.options.kind = _kinds[kind]
    job.options.weighting = weighting
    job.options.flags = flags
    job.options.sigma = sigma
    job.options.epsilon = epsilon
    job.options.topn = topn if topn > 0 else <Py_ssize_t>1 << 62
    job.options.steps = steps
    job.score = data_of(score)
    job.label = data_of(label)
    job.gain = data_of(gain)
    job.weight = data_of(weight)
    job.offsets = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>offsets)
    job.factor = data_of(factor)
    job.values = data_of(values)
    job.grad = data_of(grad)
    job.hess = data_of(hess)
    job.each = data_of(each)
    job.centers = data_of(centers)
    job.slopes = data_of(slopes)
    job.longest = 0
    job.rooms = NULL
    discounts = is_of_pairs(job.options.kind) and (job.options.kind >= LAMBDA or (weighting & 15) >= NDCG)
    with nogil:
        job.starts = <Py_ssize_t*>malloc((count + 1) * sizeof(Py_ssize_t))
        if job.starts != NULL:
            tasks = cut_into_tasks(&job, count, &costs)
            job.room_bytes = (job.longest + LANES) * ((ROOMS + 2) * sizeof(double) + 2 * sizeof(Place))
            if job.options.kind == NEURAL_NDCG:      # two matrices, and two vectors for each step
                job.room_bytes += 2 * job.longest * (job.longest + steps + 1) * sizeof(double)
            if tasks > 1 or costs.strips > 0:
                width = _gate.begin(costs.all)
            if width > 1:
                shared = costs.all - costs.strips + costs.strips / width < max(costs.longest, costs.all / width)
            if shared:
                _gate.end()
                width = 1
            job.rooms = <char*>malloc(width * job.room_bytes)
            discount = <double*>malloc((job.longest + 1) * sizeof(double))
            good = job.rooms != NULL and discount != NULL
            if good and discounts:
                fill_discounts(discount, job.longest)
            job.options.discount = discount
    if good and shared:
        good = share_lists(&job, count, costs.all)
    elif good:
        with nogil:
            if width == 1:
                run_lists(&job, 0, tasks, 0)
            else:
                for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                    set_float_mode(mode)
                    run_lists(&job, first_task(i, tasks, width), first_task(i + 1, tasks, width), threadid())
    if width > 1:
        _gate.end()
    free(discount)
    free(job.rooms)
    free(job.starts)
    if not good:
        raise MemoryError(f"no memory for lists of {job.longest} items")


def explicit_pairs(str kind, score, winner, loser, weight, factor, *, double sigma, values, grad, hess):
    """Compute the loss of pairs that are given: ``winner``, ``loser`` int64 items, outputs added to where not None.

    ``factor`` multiplies the derivatives of each pair, ``values`` takes one value a pair.
    """
    cdef Py_ssize_t k, count = len(winner)
    cdef const int64_t* high = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>winner)
    cdef const int64_t* low = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>loser)
    cdef const double* s = data_of(score)
    cdef const double* w = data_of(weight)
    cdef const double* f = data_of(factor)
    cdef double* v = data_of(values)
    cdef double* g = data_of(grad)
    cdef double* h = data_of(hess)
    cdef int which = _kinds[kind]
    cdef PairTerm term
    cdef double c
    cdef LogisticPair logistic
    cdef HingePair hinge
    cdef SquaredHingePair squared_hinge
    cdef SoftZeroOnePair zero_one
    logistic.sigma = hinge.margin = squared_hinge.margin = zero_one.sigma = sigma
    with nogil:
        for k in range(count):
            c = score_difference(s[high[k]], s[low[k]])
            if which == LOGISTIC:
                term = logistic.at(c, 0.0)
            elif which == HINGE:
                term = hinge.at(c, 0.0)
            elif which == SQUARED_HINGE:
                term = squared_hinge.at(c, 0.0)
            else:
                term = zero_one.at(c, 0.0)
            v[k] = term.value * w[k] if w[k] != 0 else 0.0
            c = f[k] * w[k]
            if c == 0:
                continue
            if g != NULL:
                g[high[k]] += c * term.slope
                g[low[k]] -= c * term.slope
            if h != NULL:
                h[high[k]] += c * term.curvature
                h[low[k]] += c * term.curvature
