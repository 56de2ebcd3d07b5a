"""Survival: losses of times that may be censored.

Shapes of loops. ``elements``: each time by itself, with one or two predictions (accelerated failure times,
Weibull). ``rows``: each time an interval of a grid and a row of scores (discrete hazards, mass functions). ``cox``: a
time against everybody still at risk, in ``risk/cox.pxd``. ``hits``, ``count_concordant``: each event against everybody
observed longer, in ``risk/comparisons.pxd``. ``brier``: curves against what is known of the times.

Everything is computed in float64 from contiguous arrays that ``losslib.geometries.risk`` prepares; outputs may be the
memory of inputs, which are read before they are written. Elements and rows are handed to threads in tasks of fixed
size; a stratum of Cox is one thread's from start to end. Threads change no bit.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange
from libc.math cimport log
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

from gate cimport ThreadGate
from memory cimport data_of, start_of
from risk.comparisons cimport Hits, below, compare_cell, enter, pull_back, reach
from risk.cox cimport Deaths, Stratum, leaves_for, run_stratum
from risk.rows cimport Row, run_row
from risk.trees cimport Mass, Rate
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef extern from "losslib/risk/aft_clamped.h" namespace "losslib" nogil:
    struct Term:
        double value
        double slope
        double curvature
    struct Bounds:
        pass
    Bounds read_bounds(double lower, double upper)
    Term aft_normal "losslib::aft_term<losslib::NormalError>"(double x, const Bounds& bounds, double scale)
    Term aft_logistic "losslib::aft_term<losslib::LogisticError>"(double x, const Bounds& bounds, double scale)
    Term aft_extreme "losslib::aft_term<losslib::ExtremeError>"(double x, const Bounds& bounds, double scale)
    Term clamped_normal "losslib::aft_term_clamped<losslib::ClampedNormal>"(double x, const Bounds& b, double scale)
    Term clamped_logistic "losslib::aft_term_clamped<losslib::ClampedLogistic>"(double x, const Bounds& b, double scale)
    Term clamped_extreme "losslib::aft_term_clamped<losslib::ClampedExtreme>"(double x, const Bounds& b, double scale)

cdef extern from "losslib/risk/weibull.h" namespace "losslib" nogil:
    struct WeibullTerms:
        double value
        double scale_slope
        double scale_curvature
        double shape_slope
        double shape_curvature
    WeibullTerms weibull_terms(double log_scale, double log_shape, double log_time, double event)

cdef extern from "losslib/lists/order.h" namespace "losslib" nogil:
    struct Place:
        uint64_t key
        Py_ssize_t item
    uint64_t rising_key(double x)
    void sort_by_digits(Place* places, Py_ssize_t n)

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    TASK = 4096            # elements, or scores in whole rows, that one thread takes at a time


cdef inline double* moved(double* data, Py_ssize_t offset) noexcept nogil:
    """Return where an array goes on; NULL for one that is not wanted."""
    if data == NULL:
        return NULL
    return data + offset


# ---- elements --------------------------------------------------------------------------------------------------

cdef enum Kind:
    NORMAL = 0
    LOGISTIC = 1
    EXTREME = 2
    CLAMPED = 3            # added to one of the three
    WEIBULL = 6

cdef dict _kinds = {"normal": NORMAL, "logistic": LOGISTIC, "extreme": EXTREME, "weibull": WEIBULL}

cdef struct Elements:
    Py_ssize_t count
    int kind
    double scale                   # of the error
    double* inputs[4]              # predictions first
    const double* factor           # of the derivatives
    double* values
    double* grads[2]               # by prediction; NULL where not wanted
    double* hessians[2]


cdef inline Term aft(int kind, double x, double lower, double upper, double scale) noexcept nogil:
    cdef Bounds bounds = read_bounds(lower, upper)
    if kind == NORMAL:
        return aft_normal(x, bounds, scale)
    if kind == LOGISTIC:
        return aft_logistic(x, bounds, scale)
    if kind == EXTREME:
        return aft_extreme(x, bounds, scale)
    if kind == CLAMPED + NORMAL:
        return clamped_normal(x, bounds, scale)
    if kind == CLAMPED + LOGISTIC:
        return clamped_logistic(x, bounds, scale)
    return clamped_extreme(x, bounds, scale)


cdef inline void write(const Elements* job, int position, Py_ssize_t i, double slope, double curvature) noexcept nogil:
    """Write two derivatives; a sample that does not count has the factor 0, whatever its derivatives are."""
    cdef double factor = job.factor[i]
    if job.grads[position] != NULL:
        job.grads[position][i] = slope * factor if factor != 0 else 0.0
    if job.hessians[position] != NULL:
        job.hessians[position][i] = curvature * factor if factor != 0 else 0.0


cdef void run_elements(const Elements* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Compute the tasks start … stop - 1."""
    cdef Py_ssize_t i
    cdef Term term
    cdef WeibullTerms pair
    for i in range(start * TASK, min(stop * TASK, job.count)):
        if job.kind == WEIBULL:
            pair = weibull_terms(job.inputs[0][i], job.inputs[1][i], log(job.inputs[2][i]), job.inputs[3][i])
            if job.values != NULL:
                job.values[i] = pair.value
            write(job, 0, i, pair.scale_slope, pair.scale_curvature)
            write(job, 1, i, pair.shape_slope, pair.shape_curvature)
        else:
            term = aft(job.kind, job.inputs[0][i], job.inputs[1][i], job.inputs[2][i], job.scale)
            if job.values != NULL:
                job.values[i] = term.value
            write(job, 0, i, term.slope, term.curvature)


def elements(str kind, inputs, *, double scale, bint clamped, factor, values, grads, hessians):
    """Compute losses of one time each; all arrays contiguous float64 of one length, outputs None if not wanted."""
    cdef Elements job
    cdef int k, width = 1
    cdef Py_ssize_t i, tasks
    cdef FloatMode mode = get_float_mode()
    job.count = len(inputs[0])
    tasks = (job.count + TASK - 1) // TASK
    job.kind = _kinds[kind] + (CLAMPED if clamped else 0)
    job.scale = scale
    for k in range(len(inputs)):
        job.inputs[k] = data_of(inputs[k])
    job.factor = data_of(factor)
    job.values = data_of(values)
    for k in range(2):
        job.grads[k] = data_of(grads[k])
        job.hessians[k] = data_of(hessians[k])
    with nogil:
        if tasks > 1:
            width = _gate.begin(60.0 * job.count)
        if width == 1:
            run_elements(&job, 0, tasks)
        else:
            for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                run_elements(&job, first_task(i, tasks, width), first_task(i + 1, tasks, width))
            _gate.end()


# ---- rows ------------------------------------------------------------------------------------------------------

cdef struct Rows:
    Row shape
    Py_ssize_t count, together     # rows of all, and of a task
    const double* scores
    const int64_t* interval
    const double* event
    const double* fraction
    const double* factor
    double* values
    double* grad
    double* hess


cdef void run_rows(const Rows* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Compute the tasks start … stop - 1."""
    cdef Py_ssize_t n, size = job.shape.causes * job.shape.intervals
    cdef double value
    for n in range(start * job.together, min(stop * job.together, job.count)):
        value = run_row(
            &job.shape, job.scores + n * size, job.interval[n], job.event[n],
            0.0 if job.fraction == NULL else job.fraction[n], job.factor[n],
            moved(job.grad, n * size), moved(job.hess, n * size),
        )
        if job.values != NULL:
            job.values[n] = value


def rows(int kind, scores, interval, event, fraction, *, Py_ssize_t causes, bint pad, bint cumulative, factor, values,
         grad, hess):
    """Compute losses of a row of scores each, (N, causes * intervals); `interval` int64, all else float64."""
    cdef Rows job
    cdef int width = 1
    cdef Py_ssize_t i, tasks
    cdef double nanoseconds = 15.0 * scores.size
    cdef FloatMode mode = get_float_mode()
    job.count = len(scores)
    job.shape.kind = kind
    job.shape.causes = causes
    job.shape.intervals = scores.shape[1] // causes
    job.shape.pad = pad
    job.shape.cumulative = cumulative
    job.together = max(<Py_ssize_t>1, TASK // max(<Py_ssize_t>1, <Py_ssize_t>scores.shape[1]))
    job.scores = data_of(scores)
    job.interval = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>interval)
    job.event = data_of(event)
    job.fraction = data_of(fraction)
    job.factor = data_of(factor)
    job.values = data_of(values)
    job.grad = data_of(grad)
    job.hess = data_of(hess)
    tasks = (job.count + job.together - 1) // job.together
    with nogil:
        if tasks > 1:
            width = _gate.begin(nanoseconds)
        if width == 1:
            run_rows(&job, 0, tasks)
        else:
            for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                run_rows(&job, first_task(i, tasks, width), first_task(i + 1, tasks, width))
            _gate.end()


# ---- risk sets -------------------------------------------------------------------------------------------------

cdef bint allocate(Stratum* s, Py_ssize_t rows, Py_ssize_t deaths) noexcept nogil:
    """Take the workspace of the largest stratum; False if there is no memory."""
    cdef Py_ssize_t d = deaths + 1
    s.first = <Py_ssize_t*>malloc(d * sizeof(Py_ssize_t))
    s.count = <Py_ssize_t*>malloc(d * sizeof(Py_ssize_t))
    s.others = <Mass*>malloc(d * sizeof(Mass))
    s.dying = <Mass*>malloc(d * sizeof(Mass))
    s.found = <Deaths*>malloc(d * sizeof(Deaths))
    s.weight_of = <double*>malloc(d * sizeof(double))
    s.upstream_of = <double*>malloc(d * sizeof(double))
    s.masses = NULL
    s.rates = NULL
    s.start = s.open_from = NULL
    if s.entry != NULL:
        s.masses = <Mass*>malloc(2 * leaves_for(rows) * sizeof(Mass))
        s.rates = <Rate*>malloc(2 * leaves_for(d) * sizeof(Rate))
        s.start = <Py_ssize_t*>malloc((rows + 1) * sizeof(Py_ssize_t))
        s.open_from = <Py_ssize_t*>malloc((rows + 1) * sizeof(Py_ssize_t))
        if s.masses == NULL or s.rates == NULL or s.start == NULL or s.open_from == NULL:
            return False
    return (s.first != NULL and s.count != NULL and s.others != NULL and s.dying != NULL and s.found != NULL
            and s.weight_of != NULL and s.upstream_of != NULL)


cdef void release(Stratum* s) noexcept nogil:
    free(s.first)
    free(s.count)
    free(s.others)
    free(s.dying)
    free(s.found)
    free(s.weight_of)
    free(s.upstream_of)
    free(s.masses)
    free(s.rates)
    free(s.start)
    free(s.open_from)


cdef inline void move_to(Stratum* s, Py_ssize_t offset) noexcept nogil:
    """Let the arrays of rows begin `offset` later."""
    s.time += offset
    s.event += offset
    s.score += offset
    s.weight += offset
    s.y += offset
    if s.entry != NULL:
        s.entry += offset
        s.by_entry += offset
    if s.upstream != NULL:
        s.upstream += offset
    s.values = moved(s.values, offset)
    s.grad = moved(s.grad, offset)
    s.hess = moved(s.hess, offset)


def cox(time, event, score, weight, y, entry, by_entry, upstream, strata, *, bint efron, Py_ssize_t deaths, values,
        grad, hess):
    """Compute partial likelihoods from rows sorted by stratum and time, deaths first.

    ``strata`` int64 are the numbers of rows of each stratum; ``event`` uint8, ``by_entry`` int64 positions within a
    stratum, all else float64, None where there is none. Outputs are added to; ``deaths`` bounds those of a stratum.
    """
    cdef Stratum s
    cdef Py_ssize_t k, count = len(strata), most = 0
    cdef const int64_t* rows_of = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>strata)
    cdef bint good
    s.time = data_of(time)
    s.event = <const unsigned char*>cnp.PyArray_DATA(<cnp.ndarray>event)
    s.score = data_of(score)
    s.weight = data_of(weight)
    s.y = data_of(y)
    s.entry = data_of(entry)
    s.by_entry = NULL
    if entry is not None:
        s.by_entry = <const Py_ssize_t*>cnp.PyArray_DATA(<cnp.ndarray>by_entry)
    s.upstream = data_of(upstream)
    s.efron = efron
    s.values = data_of(values)
    s.grad = data_of(grad)
    s.hess = data_of(hess)
    with nogil:
        for k in range(count):
            most = max(most, <Py_ssize_t>rows_of[k])
        good = allocate(&s, most, min(deaths, most))
        if good:
            for k in range(count):
                s.rows = rows_of[k]
                run_stratum(&s)
                move_to(&s, s.rows)
        release(&s)
    if not good:
        raise MemoryError(f"no memory for the risk sets of {most} rows")


# ---- comparisons -----------------------------------------------------------------------------------------------

cdef void run_cells(const Hits* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Compute the pairs of the cells start … stop - 1."""
    cdef Py_ssize_t cell
    for cell in range(start, stop):
        compare_cell(job, cell)


def hits(scores, interval, cause, partners, *, Py_ssize_t causes, bint pad, double sigma, factor, sums, grad):
    """Compute DeepHit's pairs from rows of (rows, causes * intervals) scores sorted by interval, events first.

    ``interval``, ``cause`` and ``partners`` int64, all else contiguous float64. ``sums`` takes the sum over the pairs
    of each event, 0 for the others; the derivatives, times the ``factor`` of the event, are added to ``grad``.
    """
    cdef Hits job
    cdef int width = 1
    cdef Py_ssize_t i, cells = scores.shape[1]
    cdef double* room
    cdef double* target = data_of(grad)
    cdef FloatMode mode = get_float_mode()
    job.rows = len(scores)
    job.causes = causes
    job.intervals = cells // causes
    job.pad = pad
    job.inverse = 1.0 / sigma
    job.scores = data_of(scores)
    job.interval = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>interval)
    job.cause = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>cause)
    job.partners = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>partners)
    job.factor = data_of(factor)
    job.sums = data_of(sums)
    with nogil:
        room = <double*>malloc((2 * cells * job.rows + 1) * sizeof(double))
        if room != NULL:
            job.reached = room
            job.pull = room + cells * job.rows
            for i in range(cells * job.rows):
                job.pull[i] = 0.0
            for i in range(job.rows):
                job.sums[i] = 0.0
                reach(&job, i)
            if cells > 1:
                width = _gate.begin(0.5 * job.rows * <double>job.rows)
            if width == 1:
                run_cells(&job, 0, cells)
            else:
                for i in prange(count_runs(cells, width), schedule="dynamic", num_threads=width):
                    set_float_mode(mode)
                    run_cells(&job, first_task(i, cells, width), first_task(i + 1, cells, width))
                _gate.end()
            if target != NULL:
                for i in range(job.rows):
                    pull_back(&job, i, target)
            free(room)
    if room == NULL:
        raise MemoryError(f"no memory for the distributions of {job.rows} samples")


def rising_order(number, first, counts, order):
    """Fill ``order`` int64 with the places of numbers by size; return how many there are.

    Of equal ones those marked in ``first`` come first, and else they stay in their order; NaN comes last. Those that
    ``counts`` does not mark are left out. Both are bytes or None.
    """
    cdef Py_ssize_t i, n = len(number), found = 0
    cdef int later
    cdef const double* x = data_of(number)
    cdef const unsigned char* marked = <const unsigned char*>start_of(first)
    cdef const unsigned char* keep = <const unsigned char*>start_of(counts)
    cdef int64_t* item = <int64_t*>start_of(order)
    cdef Place* places
    with nogil:
        places = <Place*>malloc((2 * n + 1) * sizeof(Place))
        if places != NULL:
            for later in range(2):
                for i in range(n):
                    if (marked == NULL or marked[i] != 0) == (later == 0) and (keep == NULL or keep[i]):
                        places[found].key = rising_key(x[i])
                        places[found].item = i
                        found += 1
            sort_by_digits(places, found)
            for i in range(found):
                item[i] = places[i].item
            free(places)
    if places == NULL:
        raise MemoryError(f"no memory to sort {n} numbers")
    return found


def count_concordant(partners, event, place, lower, upper, *, concordant, tied):
    """Count for each event, of the rows that are comparable with it, those with lower scores and those tied.

    Rows lie by time, events first; all arrays int64. ``place`` is the rank of a row's score from 0, ``lower`` and
    ``upper`` the ranks at which scores tied with its own begin and end.
    """
    cdef Py_ssize_t i, n = len(place), behind = n
    cdef const int64_t* first = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>partners)
    cdef const unsigned char* happened = <const unsigned char*>cnp.PyArray_DATA(<cnp.ndarray>event)
    cdef const int64_t* rank = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>place)
    cdef const int64_t* low = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>lower)
    cdef const int64_t* high = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>upper)
    cdef int64_t* good = <int64_t*>cnp.PyArray_DATA(<cnp.ndarray>concordant)
    cdef int64_t* same = <int64_t*>cnp.PyArray_DATA(<cnp.ndarray>tied)
    cdef uint32_t* tree
    with nogil:
        tree = <uint32_t*>calloc(n + 1, sizeof(uint32_t))
        if tree != NULL:
            for i in range(n - 1, -1, -1):
                good[i] = same[i] = 0
                if happened[i]:
                    while behind > first[i]:
                        behind -= 1
                        enter(tree, n, rank[behind])
                    good[i] = below(tree, low[i])
                    same[i] = below(tree, high[i]) - good[i]
            free(tree)
    if tree == NULL:
        raise MemoryError(f"no memory for the ranks of {n} samples")


# ---- Brier score -----------------------------------------------------------------------------------------------

def brier(survival, time, event, own, grid, at_grid, share, *, factor, values, grad, hess):
    """Compute squared errors of survival curves (rows, times), weighted by the inverse probability to be uncensored.

    ``own`` is that weight at each sample's time, ``at_grid`` at each time of the ``grid``, ``share`` what a time of the
    grid counts. All contiguous float64; outputs None if not wanted.
    """
    cdef Py_ssize_t i, k, rows = len(time), times = len(grid)
    cdef const double* s = data_of(survival)
    cdef const double* t = data_of(time)
    cdef const double* e = data_of(event)
    cdef const double* w = data_of(own)
    cdef const double* at = data_of(grid)
    cdef const double* v = data_of(at_grid)
    cdef const double* c = data_of(share)
    cdef const double* f = data_of(factor)
    cdef double* value = data_of(values)
    cdef double* g = data_of(grad)
    cdef double* h = data_of(hess)
    cdef double weight, wanted, sum
    with nogil:
        for i in range(rows):
            sum = 0.0
            for k in range(times):
                weight = c[k] * v[k]
                wanted = 1.0
                if t[i] <= at[k]:
                    weight = c[k] * w[i] if e[i] != 0 else 0.0
                    wanted = 0.0
                if weight == 0 or f[i] == 0:
                    if g != NULL:
                        g[i * times + k] = 0.0
                    if h != NULL:
                        h[i * times + k] = 0.0
                    if weight == 0:
                        continue
                sum += weight * (s[i * times + k] - wanted) * (s[i * times + k] - wanted)
                if f[i] == 0:
                    continue
                if g != NULL:
                    g[i * times + k] = 2.0 * weight * (s[i * times + k] - wanted) * f[i]
                if h != NULL:
                    h[i * times + k] = 2.0 * weight * f[i]
            if value != NULL:
                value[i] = sum
