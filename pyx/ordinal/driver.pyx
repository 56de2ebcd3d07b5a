"""Ordered classes: losses of cumulative logits, of a score between thresholds, and of a table of costs.

Everything is computed in float64 from contiguous arrays that ``losslib.geometries.ordinal`` prepares; outputs may be
the memory of inputs, which are read before they are written. Rows are handed to threads in tasks of fixed size; threads
change no bit.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange
from libc.math cimport INFINITY, exp
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from gate cimport ThreadGate
from memory cimport data_of, start_of
from ordinal.paths cimport Tree, gather_tasks, list_visits, walk_tasks
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef extern from "losslib/ordinal/links.h" namespace "losslib" nogil:
    struct LinkJet:
        double value
        double slope
        double curvature
        double upper
        double lower
    LinkJet logit_link(double b, double a)
    LinkJet probit_link(double b, double a)
    LinkJet cloglog_link(double b, double a)

cdef extern from "losslib/ordinal/levels.h" namespace "losslib" nogil:
    void level_terms(const double* x, const double* level, const double* weight, Py_ssize_t n, double* value,
                     double* slope, double* curvature)

cdef enum:
    BLOCK = 256            # numbers whose buffers stay in the first cache
    PATHS = 64             # rows whose paths, or nodes whose visits, one thread takes at a time
    TASK = 4096            # numbers, in whole rows, that one thread takes at a time

cdef enum Kind:
    LEVELS = 0             # every cumulative question
    CONDITIONAL = 1        # those up to the first that is answered with no
    LOGIT = 2
    PROBIT = 3
    CLOGLOG = 4
    COSTS = 5              # the expected cost under a softmax

KINDS = {"levels": LEVELS, "conditional": CONDITIONAL, "logit": LOGIT, "probit": PROBIT, "cloglog": CLOGLOG,
         "costs": COSTS}

cdef struct Rows:
    int kind
    Py_ssize_t count, columns, together
    const double* input
    const int64_t* target
    const double* levels           # what stands for the target, (count, columns), or NULL
    const double* numbers          # weights of the questions, thresholds, or costs [target][class]
    const double* factor           # of the derivatives
    const unsigned char* keep      # NULL: all rows count
    double* values
    double* grad
    double* hess
    double* upper                  # slopes by the thresholds above and below
    double* lower


# ---- a row -----------------------------------------------------------------------------------------------------

cdef inline double put(double* target, Py_ssize_t k, double factor, double number) noexcept nogil:
    """Write a derivative; with the factor 0 it is 0 whatever it is."""
    if target != NULL:
        target[k] = number * factor if factor != 0 else 0.0
    return number


cdef inline void levels_rows(const Rows* job, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """sum_k w_k BCE(x_k, [y > k]) over all questions, or over those that were asked; rows lie one behind the other."""
    cdef double[256] level         # BLOCK
    cdef double[256] weight
    cdef double[256] factor
    cdef double[256] value
    cdef double[256] slope
    cdef double[256] curvature
    cdef Py_ssize_t[256] row
    cdef Py_ssize_t i = first, k = 0, e, at = first * job.columns, stop = last * job.columns, asked
    cdef int n, place
    if job.values != NULL:
        for e in range(first, last):
            job.values[e] = 0.0
    while at < stop:
        n = <int>min(stop - at, <Py_ssize_t>BLOCK)
        for place in range(n):
            row[place] = i
            asked = min(job.columns, job.target[i] + 1) if job.kind == CONDITIONAL else job.columns
            level[place] = job.levels[at + place] if job.levels != NULL else <double>(job.target[i] > k)
            weight[place] = job.numbers[k] if job.numbers != NULL else 1.0
            factor[place] = job.factor[i]
            if k >= asked or (job.keep != NULL and not job.keep[i]):
                weight[place] = 0.0
            k += 1
            if k == job.columns:
                k = 0
                i += 1
        level_terms(job.input + at, level, weight, n, value, slope, curvature)
        if job.values != NULL:
            for place in range(n):
                job.values[row[place]] += value[place]
        for place in range(n):
            put(job.grad, at + place, factor[place], slope[place])
        for place in range(n):
            put(job.hess, at + place, factor[place], curvature[place])
        at += n


cdef inline double link_row(const Rows* job, Py_ssize_t i) noexcept nogil:
    """-log of the probability between two thresholds."""
    cdef Py_ssize_t y = job.target[i]
    cdef double x = job.input[i], factor = job.factor[i]
    cdef double b = job.numbers[y] - x if y < job.columns else INFINITY
    cdef double a = job.numbers[y - 1] - x if y > 0 else -INFINITY
    cdef LinkJet jet
    if x != x:
        b = a = x
    if job.kind == LOGIT:
        jet = logit_link(b, a)
    elif job.kind == PROBIT:
        jet = probit_link(b, a)
    else:
        jet = cloglog_link(b, a)
    put(job.grad, i, factor, jet.slope)
    put(job.hess, i, factor, jet.curvature)
    put(job.upper, i, factor, jet.upper if y < job.columns else 0.0)
    put(job.lower, i, factor, jet.lower if y > 0 else 0.0)
    return jet.value


cdef inline double costs_row(const Rows* job, Py_ssize_t i) noexcept nogil:
    """sum_c p_c cost_c for p = softmax(x): the derivative is p_c (cost_c - value)."""
    cdef Py_ssize_t c, n = job.columns
    cdef const double* x = job.input + i * n
    cdef const double* cost = job.numbers + job.target[i] * n
    cdef double largest = x[0], total = 0.0, value = 0.0, p
    for c in range(1, n):
        largest = max(largest, x[c])
    for c in range(n):
        p = exp(x[c] - largest)
        total += p
        value += p * cost[c]
    value /= total
    if job.grad != NULL:
        for c in range(n):
            put(job.grad, i * n + c, job.factor[i], exp(x[c] - largest) / total * (cost[c] - value))
    return value


cdef void run_tasks(const Rows* job, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t i, k, width = job.columns
    cdef double value
    if job.kind == LOGIT or job.kind == PROBIT or job.kind == CLOGLOG:
        width = 1
    if job.kind <= CONDITIONAL:
        levels_rows(job, min(first * job.together, job.count), min(last * job.together, job.count))
        return
    for i in range(first * job.together, min(last * job.together, job.count)):
        if job.keep != NULL and not job.keep[i]:
            value = 0.0
            for k in range(width):
                put(job.grad, i * width + k, 0.0, 0.0)
                put(job.hess, i * width + k, 0.0, 0.0)
            if width == 1:
                put(job.upper, i, 0.0, 0.0)
                put(job.lower, i, 0.0, 0.0)
        elif job.kind == COSTS:
            value = costs_row(job, i)
        else:
            value = link_row(job, i)
        if job.values != NULL:
            job.values[i] = value


def run(int kind, input, target, levels, numbers, *, factor, keep, values, grad, hess, upper=None, lower=None):
    """Compute one call: float64 rows or scores, int64 classes, uint8 ``keep``; None where there is none.

    ``numbers`` are the weights of the questions, the thresholds, or a table of costs by target and class.
    """
    cdef Rows job
    cdef int width = 1
    cdef Py_ssize_t i, tasks, length
    cdef double nanoseconds = 12.0 * input.size
    cdef FloatMode mode = get_float_mode()
    job.kind = kind
    job.count = len(input)
    job.columns = input.shape[1] if input.ndim == 2 else len(numbers)
    length = input.shape[1] if input.ndim == 2 else 1
    job.together = max(<Py_ssize_t>1, TASK // max(<Py_ssize_t>1, length))
    job.input = data_of(input)
    job.target = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>target)
    job.levels = data_of(levels)
    job.numbers = data_of(numbers)
    job.factor = data_of(factor)
    job.keep = NULL
    if keep is not None:
        job.keep = <const unsigned char*>cnp.PyArray_DATA(<cnp.ndarray>keep)
    job.values = data_of(values)
    job.grad = data_of(grad)
    job.hess = data_of(hess)
    job.upper = data_of(upper)
    job.lower = data_of(lower)
    tasks = (job.count + job.together - 1) // job.together
    with nogil:
        if tasks > 1:
            width = _gate.begin(nanoseconds)
        if width == 1:
            run_tasks(&job, 0, tasks)
        else:
            for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                run_tasks(&job, first_task(i, tasks, width), first_task(i + 1, tasks, width))
            _gate.end()


# ---- paths of a tree -----------------------------------------------------------------------------------------------

def paths(hidden, vectors, bias, places, answers, *, factor, values, by_hidden, by_vectors, by_bias):
    """Compute the losses along the paths of a tree: rows and nodes of one float type, contiguous, bias in float64.

    ``places`` int64 and ``answers`` float64 have a row for each row and a column for each step. Derivatives that are
    not wanted are None.
    """
    cdef Tree t
    cdef Py_ssize_t i, tasks
    cdef int width = 1
    cdef double nanoseconds
    cdef bint wanted = by_hidden is not None or by_vectors is not None or by_bias is not None
    cdef bint gathered = by_vectors is not None or by_bias is not None, good
    cdef FloatMode mode = get_float_mode()
    t.rows, t.components = hidden.shape
    t.nodes, t.depth = len(vectors), places.shape[1]
    t.hidden = <const char*>start_of(hidden)
    t.vectors = <const char*>start_of(vectors)
    t.bias = data_of(bias)
    t.places = <const int64_t*>start_of(places)
    t.answers = data_of(answers)
    t.factor = data_of(factor)
    t.values = data_of(values)
    t.by_hidden = <char*>start_of(by_hidden)
    t.by_vectors = <char*>start_of(by_vectors)
    t.by_bias = data_of(by_bias)
    t.wide = hidden.dtype == "float64"
    t.slopes = NULL
    t.first = t.visits = NULL
    nanoseconds = 0.3 * t.rows * t.depth * t.components
    with nogil:
        if wanted:
            t.slopes = <double*>malloc((t.rows * t.depth + 1) * sizeof(double))
        if gathered:
            t.first = <int64_t*>malloc((t.nodes + 1) * sizeof(int64_t))
            t.visits = <int64_t*>malloc((t.rows * t.depth + 1) * sizeof(int64_t))
        good = (not wanted or t.slopes != NULL) and (not gathered or (t.first != NULL and t.visits != NULL))
        if good:
            tasks = (t.rows + PATHS - 1) // PATHS
            if tasks > 1:
                width = _gate.begin(nanoseconds)
            if width == 1:
                walk_tasks(&t, PATHS, 0, tasks)
            else:
                for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                    set_float_mode(mode)
                    walk_tasks(&t, PATHS, first_task(i, tasks, width), first_task(i + 1, tasks, width))
                _gate.end()
        if good and gathered:
            list_visits(&t)
            width = 1
            tasks = (t.nodes + PATHS - 1) // PATHS
            if tasks > 1:
                width = _gate.begin(nanoseconds)
            if width == 1:
                gather_tasks(&t, PATHS, 0, tasks)
            else:
                for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                    set_float_mode(mode)
                    gather_tasks(&t, PATHS, first_task(i, tasks, width), first_task(i + 1, tasks, width))
                _gate.end()
        free(t.slopes)
        free(t.first)
        free(t.visits)
    if not good:
        raise MemoryError(f"no memory for the paths of {t.rows} rows")
