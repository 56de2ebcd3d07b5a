"""Ordered classes: losses of cumulative logits, of a score between thresholds, and of a table of costs.

Contiguous arrays of any float type, which ``losslib.geometries.ordinal`` prepares, are read in blocks before they are
written: outputs may be the memory of inputs, except for rows of costs. Cumulative logits are computed in their own
type, half precision in float32, and added in float64; everything else is float64. Rows are handed to threads in tasks
of fixed size; threads change no bit.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange
from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from blocks cimport item_size, narrow_run, real, widen_run
from gate cimport ThreadGate
from job cimport FLOAT64
from memory cimport data_of, start_of, type_of
from ordinal.paths cimport Tree, gather_tasks, list_visits, walk_tasks
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef extern from "losslib/ordinal/links.h" namespace "losslib" nogil:
    struct LinkBlock:
        double* value
        double* slope
        double* curvature
        double* upper
        double* lower
    void distances(const double* x, const int64_t* target, const double* thresholds, int64_t count, Py_ssize_t n,
                   double* b, double* a)
    void logit_terms(const double* b, const double* a, Py_ssize_t n, LinkBlock out)
    void probit_terms(const double* b, const double* a, Py_ssize_t n, LinkBlock out)
    void cloglog_terms(const double* b, const double* a, Py_ssize_t n, LinkBlock out)

cdef extern from "losslib/ordinal/levels.h" namespace "losslib" nogil:
    void level_terms[T](const T* x, const T* level, const T* weight, Py_ssize_t n, T* value, T* slope, T* curvature)
    void multiply_or_clear[T](T* x, const double* factor, Py_ssize_t n)
    void copy_sixteens[T](const T* source, T* target, Py_ssize_t n)
    void fill_sixteens[T](T number, T* target, Py_ssize_t n)
    void exponentials(double* x, Py_ssize_t n)

cdef extern from "losslib/core/select.h" namespace "losslib" nogil:
    T product_or_zero[T](T coefficient, T factor)

cdef enum:
    BLOCK = 256            # numbers whose buffers stay in the first cache
    PADDED = 272           # and the sixteen in which the last may be
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

cdef struct Operand:
    char* data                     # contiguous, or NULL
    int type

cdef struct Rows:
    int kind
    Py_ssize_t count, columns
    Py_ssize_t together            # rows of a task
    Operand input
    const int64_t* target
    const double* levels           # what stands for the target, (count, columns), or NULL
    const double* numbers          # weights of the questions, thresholds, or costs [target][class]
    const double* factor           # of the derivatives
    const unsigned char* keep      # NULL: all rows count
    double* values
    Operand grad
    Operand hess
    double* upper                  # slopes by the thresholds above and below
    double* lower


cdef void read(const Operand* operand, Py_ssize_t at, real* buffer, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t size = item_size(operand.type)
    widen_run(operand.data + at * size, size, operand.type, buffer, n)


cdef void write(const Operand* operand, Py_ssize_t at, const real* buffer, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t size
    if operand.data != NULL:
        size = item_size(operand.type)
        narrow_run(buffer, operand.data + at * size, size, operand.type, n)


cdef inline bint counts(const Rows* job, Py_ssize_t i) noexcept nogil:
    return job.keep == NULL or job.keep[i] != 0


cdef inline Py_ssize_t rows_of_block(Py_ssize_t length) noexcept nogil:
    """Rows of a block; of a longer row a block is a piece."""
    return BLOCK // length if length < BLOCK else 1


# ---- cumulative logits -----------------------------------------------------------------------------------------

cdef inline void ask(const Rows* job, Py_ssize_t i, Py_ssize_t first, Py_ssize_t n, const real* zeros, real* level,
                     real* weight) noexcept nogil:
    """Answers to n questions of a row, and their weights: 0 where a question was not asked.

    Ones stand before the zeros. Up to 15 numbers behind the n are written.
    """
    cdef Py_ssize_t k, asked = n, y = max(<Py_ssize_t>0, min(job.target[i] - first, n))
    if job.kind == CONDITIONAL:
        asked = max(<Py_ssize_t>0, min(job.target[i] - first + 1, n))
    if not counts(job, i):
        asked = 0
    if job.levels != NULL:
        for k in range(n):
            level[k] = <real>job.levels[i * job.columns + first + k]
    else:
        copy_sixteens(zeros - y, level, n)
    if job.numbers != NULL:
        for k in range(n):
            weight[k] = <real>job.numbers[first + k] if k < asked else 0
    else:
        copy_sixteens(zeros - asked, weight, n)


cdef inline double sum_of(const real* terms, Py_ssize_t n, double total) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(n):
        total += <double>terms[k]
    return total


cdef inline void levels_rows(const Rows* job, Py_ssize_t first, Py_ssize_t last, real tag) noexcept nogil:
    """sum_k w_k BCE(x_k, [y > k]) over all questions, or over those that were asked."""
    cdef real[BLOCK] x, value, slope, curvature
    cdef real[PADDED] level, weight
    cdef double[PADDED] factor
    cdef real[BLOCK + PADDED] steps
    cdef Py_ssize_t together = rows_of_block(job.columns), i = first, k = 0, r, rows, length, at
    fill_sixteens(<real>1, <real*>steps, BLOCK)
    fill_sixteens(<real>0, <real*>steps + BLOCK, PADDED)
    while i < last:
        rows = min(together, last - i)
        length = min(job.columns - k, <Py_ssize_t>BLOCK)
        at = i * job.columns + k
        read(&job.input, at, <real*>x, rows * length)
        for r in range(rows):
            ask(job, i + r, k, length, <const real*>steps + BLOCK, <real*>level + r * length,
                <real*>weight + r * length)
            fill_sixteens(job.factor[i + r], <double*>factor + r * length, length)
        level_terms(<const real*>x, <const real*>level, <const real*>weight, rows * length, <real*>value, <real*>slope,
                    <real*>curvature)
        if job.values != NULL:
            for r in range(rows):
                job.values[i + r] = sum_of(<const real*>value + r * length, length, job.values[i + r] if k > 0 else 0.0)
        if job.grad.data != NULL:
            multiply_or_clear(<real*>slope, factor, rows * length)
        if job.hess.data != NULL:
            multiply_or_clear(<real*>curvature, factor, rows * length)
        write(&job.grad, at, <const real*>slope, rows * length)
        write(&job.hess, at, <const real*>curvature, rows * length)
        k += length
        if k == job.columns:
            k = 0
            i += rows


# ---- a score between thresholds --------------------------------------------------------------------------------

cdef inline void link_scores(const Rows* job, Py_ssize_t first, int n) noexcept nogil:
    """-log of the probability between two thresholds, for a block of scores."""
    cdef double[BLOCK] x, b, a, factor, value, slope, curvature, upper, lower
    cdef const int64_t* y = job.target + first
    cdef int k
    cdef LinkBlock out
    read(&job.input, first, <double*>x, n)
    distances(x, y, job.numbers, job.columns, n, b, a)
    memcpy(factor, job.factor + first, n * sizeof(double))
    if job.keep != NULL:
        for k in range(n):
            if not counts(job, first + k):      # certain, whatever its class is
                b[k] = INFINITY
                a[k] = -INFINITY
                factor[k] = 0.0
    out.value = value
    out.slope = slope
    out.curvature = curvature
    out.upper = NULL
    if job.upper != NULL:
        out.upper = upper
    out.lower = lower
    if job.kind == LOGIT:
        logit_terms(b, a, n, out)
    elif job.kind == PROBIT:
        probit_terms(b, a, n, out)
    else:
        cloglog_terms(b, a, n, out)
    if job.values != NULL:
        memcpy(job.values + first, value, n * sizeof(double))
    if job.grad.data != NULL:
        multiply_or_clear(<double*>slope, factor, n)
        write(&job.grad, first, <const double*>slope, n)
    if job.hess.data != NULL:
        multiply_or_clear(<double*>curvature, factor, n)
        write(&job.hess, first, <const double*>curvature, n)
    if job.upper != NULL:
        multiply_or_clear(<double*>upper, factor, n)
        multiply_or_clear(<double*>lower, factor, n)
        for k in range(n):                      # none, whatever was computed for it
            job.upper[first + k] = upper[k] if y[k] < job.columns else 0.0
            job.lower[first + k] = lower[k] if y[k] > 0 else 0.0


# ---- the expected cost under a softmax -------------------------------------------------------------------------

cdef inline double largest_of(const double* x, Py_ssize_t n, double largest) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(n):
        largest = x[c] if x[c] > largest else largest
    return largest


cdef inline void subtract(double* x, Py_ssize_t n, double number) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(n):
        x[c] = x[c] - number


cdef inline void add_costs(const double* e, const double* cost, Py_ssize_t n, double* total,
                           double* value) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(n):
        total[0] += e[c]
        value[0] += e[c] * cost[c]


cdef inline void become_slopes(double* e, const double* cost, Py_ssize_t n, double share, double value,
                               double factor) noexcept nogil:
    """The derivative is p_c (cost_c - value), with p_c = e_c share."""
    cdef Py_ssize_t c
    for c in range(n):
        e[c] = product_or_zero(factor, e[c] * share * (cost[c] - value))


cdef inline void costs_block(const Rows* job, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
    """sum_c p_c cost_c for p = softmax(x), of rows that fit a block together."""
    cdef double[BLOCK] e
    cdef Py_ssize_t n = job.columns, r, c, i
    cdef double total, value
    cdef const double* cost
    read(&job.input, first * n, <double*>e, rows * n)
    for r in range(rows):
        subtract(e + r * n, n, largest_of(e + r * n, n, -INFINITY))
    exponentials(e, rows * n)
    for r in range(rows):
        i = first + r
        total = value = 0.0
        if counts(job, i):
            cost = job.numbers + job.target[i] * n
            add_costs(e + r * n, cost, n, &total, &value)
            value /= total
            if job.grad.data != NULL:
                become_slopes(e + r * n, cost, n, 1.0 / total, value, job.factor[i])
        else:
            for c in range(r * n, (r + 1) * n):
                e[c] = 0.0
        if job.values != NULL:
            job.values[i] = value
    write(&job.grad, first * n, <const double*>e, rows * n)


cdef inline void costs_row(const Rows* job, Py_ssize_t i) noexcept nogil:
    """The same of one row in pieces, which are read three times."""
    cdef double[BLOCK] e
    cdef Py_ssize_t n = job.columns, pieces = (n + BLOCK - 1) // BLOCK, piece, c, length
    cdef double largest = -INFINITY, total = 0.0, value = 0.0, factor = 0.0
    cdef const double* cost = job.numbers
    cdef bint counting = counts(job, i)
    if counting:
        cost += job.target[i] * n
        factor = job.factor[i]
        for piece in range(pieces):
            c = piece * BLOCK
            length = min(n - c, <Py_ssize_t>BLOCK)
            read(&job.input, i * n + c, <double*>e, length)
            largest = largest_of(e, length, largest)
        for piece in range(pieces):
            c = piece * BLOCK
            length = min(n - c, <Py_ssize_t>BLOCK)
            read(&job.input, i * n + c, <double*>e, length)
            subtract(e, length, largest)
            exponentials(e, length)
            add_costs(e, cost + c, length, &total, &value)
        value /= total
    if job.values != NULL:
        job.values[i] = value
    if job.grad.data == NULL:
        return
    for piece in range(pieces):
        c = piece * BLOCK
        length = min(n - c, <Py_ssize_t>BLOCK)
        read(&job.input, i * n + c, <double*>e, length)
        subtract(e, length, largest)
        exponentials(e, length)
        become_slopes(e, cost + c, length, 1.0 / total, value, factor)
        write(&job.grad, i * n + c, <const double*>e, length)


# ---- a call ----------------------------------------------------------------------------------------------------

cdef void run_task(const Rows* job, Py_ssize_t task) noexcept nogil:
    cdef Py_ssize_t i = task * job.together, last = min(i + job.together, job.count), together
    if job.kind <= CONDITIONAL:
        if job.input.type == FLOAT64:
            levels_rows(job, i, last, <double>0)
        else:
            levels_rows(job, i, last, <float>0)
        return
    together = rows_of_block(job.columns if job.kind == COSTS else 1)
    while i < last:
        if job.kind != COSTS:
            link_scores(job, i, <int>min(together, last - i))
        elif job.columns <= BLOCK:
            costs_block(job, i, min(together, last - i))
        else:
            costs_row(job, i)
        i += together


cdef void run_tasks(const Rows* job, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t task
    for task in range(first, last):
        run_task(job, task)


cdef int place(Operand* operand, object array) except -1:
    operand.data = <char*>start_of(array)
    operand.type = type_of(array) if array is not None else 0
    return 0


def run(int kind, input, target, levels, numbers, *, factor, keep, values, grad, hess, upper=None, lower=None):
    """Compute one call: rows or scores of a float type, int64 classes, uint8 ``keep``; None where there is none.

    ``numbers`` are the weights of the questions, the thresholds, or a table of costs by target and class.
    """
    cdef Rows job
    cdef int width = 1
    cdef Py_ssize_t i, tasks, length
    cdef double nanoseconds = 4.0 * input.size
    cdef FloatMode mode = get_float_mode()
    job.kind = kind
    job.count = len(input)
    job.columns = input.shape[1] if input.ndim == 2 else len(numbers)
    length = input.shape[1] if input.ndim == 2 else 1
    job.together = rows_of_block(length)
    job.together *= max(<Py_ssize_t>1, TASK // (job.together * length))
    place(&job.input, input)
    job.target = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>target)
    job.levels = data_of(levels)
    job.numbers = data_of(numbers)
    job.factor = data_of(factor)
    job.keep = NULL
    if keep is not None:
        job.keep = <const unsigned char*>cnp.PyArray_DATA(<cnp.ndarray>keep)
    job.values = data_of(values)
    place(&job.grad, grad)
    place(&job.hess, hess)
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
