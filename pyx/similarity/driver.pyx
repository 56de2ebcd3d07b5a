"""The similarity geometry: what becomes of a chunk of rows of X Y'.

``losslib.geometries.similarity`` computes the products with ``numpy.matmul``, a chunk of rows at a time; ``rows`` here
turns each row into the derivatives of its loss by it, in place. A row is one thread's from start to end, columns are
added up by one thread each: threads change no bit. The kinds of rows are in ``shares.pxd`` (logarithms of sums of
exponentials), ``hinges.pxd`` (pairs and triplets) and ``ranks.pxd`` (smooth ranks).
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from blocks cimport real
from gate cimport ThreadGate
from memory cimport data_of, start_of
from similarity.call cimport (
    COSINE, DOT, EUCLIDEAN, NEGATIVE, NUMBERS, OUTPUTS, OUTSIDE, POSITIVE, RELATIVE, SQUARED, Call,
)
from similarity.columns cimport COLUMNS, Columns, add_tasks
from similarity.hinges cimport (
    all_triplets, around_border, hardest, lifted_pairs, lifted_row, negative_sum, semi_hard, two_hinges,
)
from similarity.ranks cimport fast_ap, smooth_ap
from similarity.shares cimport (
    both_ways, circle, each_positive, every_pair, mean_positive, neighbours, one_positive, soft_triple, spread,
    two_sums,
)
from similarity.vectors cimport DIVIDE, MIRROR, RETURN, SUM, TOWARDS, Pass, rows_together, run_pass
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    TASK = 16384           # entries, in whole rows, that one thread takes at a time

cdef enum Kernel:
    MEAN_POSITIVE = 0
    EACH_POSITIVE = 1
    CIRCLE = 2
    TWO_SUMS = 3
    NEIGHBOURS = 4
    ONE_POSITIVE = 5
    BOTH_WAYS = 6
    EVERY_PAIR = 7
    SOFT_TRIPLE = 8
    HARDEST = 9
    SEMI_HARD = 10
    ALL_TRIPLETS = 11
    AROUND_BORDER = 12
    TWO_HINGES = 13
    LIFTED_ROW = 14
    NEGATIVE_SUM = 15
    LIFTED_PAIRS = 16
    FAST_AP = 17
    SMOOTH_AP = 18
    SPREAD = 19

KERNELS = {
    "mean_positive": MEAN_POSITIVE, "each_positive": EACH_POSITIVE, "circle": CIRCLE, "two_sums": TWO_SUMS,
    "neighbours": NEIGHBOURS, "one_positive": ONE_POSITIVE, "both_ways": BOTH_WAYS, "every_pair": EVERY_PAIR,
    "soft_triple": SOFT_TRIPLE, "hardest": HARDEST, "semi_hard": SEMI_HARD, "all_triplets": ALL_TRIPLETS,
    "around_border": AROUND_BORDER, "two_hinges": TWO_HINGES, "lifted_row": LIFTED_ROW, "negative_sum": NEGATIVE_SUM,
    "lifted_pairs": LIFTED_PAIRS, "fast_ap": FAST_AP, "smooth_ap": SMOOTH_AP,
    "spread": SPREAD,
}

DISTANCES = {"dot": DOT, "cosine": COSINE, "sqeuclidean": SQUARED, "euclidean": EUCLIDEAN, "snr": RELATIVE,
             "precomputed": DOT}


cdef inline unsigned char* bytes_of(object array):
    return <unsigned char*>start_of(array)


cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T sqrt_of "losslib::sqrt"[T](T x)


# ---- a row -----------------------------------------------------------------------------------------------------

cdef inline void assign_roles(const Call* call, Py_ssize_t i, unsigned char* role) noexcept nogil:
    """Say of each column whether it is a positive or a negative of row i, or outside."""
    cdef Py_ssize_t j, n = call.columns, place = call.first + i
    cdef int64_t label
    if call.positive != NULL:
        for j in range(n):
            role[j] = POSITIVE if call.positive[i * n + j] else NEGATIVE
    elif call.row_label != NULL and call.column_label != NULL:
        label = call.row_label[i]
        for j in range(n):
            role[j] = POSITIVE if call.column_label[j] == label else NEGATIVE
    else:
        for j in range(n):
            role[j] = NEGATIVE
    if call.diagonal:
        if not call.in_batch:
            for j in range(min(n, call.batch)):
                role[j] = OUTSIDE
        role[place] = POSITIVE
    if call.own:
        role[place] = OUTSIDE
    if call.own_from >= 0:
        role[call.own_from + place] = OUTSIDE
    if call.column_keep != NULL:
        for j in range(n):
            role[j] = role[j] if call.column_keep[j] else <unsigned char>OUTSIDE


cdef inline double difference_of(const Call* call, Py_ssize_t i, Py_ssize_t j, real tag) noexcept nogil:
    """The squared difference of row i and column j, component by component."""
    cdef const real* x = <const real*>call.left + i * call.components
    cdef const real* y = <const real*>call.right + j * call.components
    cdef double sum = 0.0, difference
    cdef Py_ssize_t k
    for k in range(call.components):
        difference = <double>x[k] - <double>y[k]
        sum += difference * difference
    return sum


cdef inline void become_distances(const Call* call, Py_ssize_t i, real* s) noexcept nogil:
    """Turn products into distances; where both vectors nearly agree, from the differences of their components."""
    cdef Py_ssize_t j, n = call.columns, itself = call.first + i if call.own else -1
    cdef double square, sum, other
    if call.distance == COSINE:
        for j in range(n):
            s[j] = 1 - s[j]
        return
    square = call.left_square[i]
    for j in range(n):          # those nearly equal become -1
        sum = square + call.right_square[j]
        other = sum - 2.0 * <double>s[j]
        s[j] = <real>(-1.0 if other < 1e-3 * sum else other)
    for j in range(n):
        if s[j] < 0:
            s[j] = 0 if j == itself else <real>difference_of(call, i, j, <real>0)
    if call.distance == EUCLIDEAN:
        for j in range(n):
            s[j] = sqrt_of(s[j])
    elif call.distance == RELATIVE:
        for j in range(n):
            s[j] = <real>(<double>s[j] / square)


cdef inline void by_squares(const Call* call, Py_ssize_t i, real* s, const real* d, double* out) noexcept nogil:
    """Turn derivatives by distances into those by squared differences, or by the products of cosines.

    A distance of 0 has the derivative 0. Relative to the length of the row, the last output is the slope by its square.
    """
    cdef Py_ssize_t j
    cdef double square, total = 0.0
    if call.distance == COSINE:
        for j in range(call.columns):
            s[j] = -s[j]
    elif call.distance == EUCLIDEAN:
        for j in range(call.columns):
            s[j] = s[j] / (2 * d[j]) if d[j] > 0 else <real>0
    elif call.distance == RELATIVE:
        square = call.left_square[i]
        for j in range(call.columns):
            total -= <double>s[j] * <double>d[j]
            s[j] = <real>(<double>s[j] / square)
        out[3] = total / square


cdef inline void compute(const Call* call, Py_ssize_t i, real* s, unsigned char* role, real* a, real* b, double* sums,
                         double factor, double* out) noexcept nogil:
    if call.kernel == MEAN_POSITIVE:
        mean_positive(call, s, role, a, factor, out)
    elif call.kernel == EACH_POSITIVE:
        each_positive(call, s, role, a, factor, out)
    elif call.kernel == CIRCLE:
        circle(call, s, role, a, b, factor, out)
    elif call.kernel == TWO_SUMS:
        two_sums(call, s, role, a, b, factor, out)
    elif call.kernel == NEIGHBOURS:
        neighbours(call, s, role, a, b, factor, out)
    elif call.kernel == ONE_POSITIVE:
        one_positive(call, s, role, a, factor, out)
    elif call.kernel == BOTH_WAYS:
        both_ways(call, s, role, a, i, factor, out)
    elif call.kernel == EVERY_PAIR:
        every_pair(call, s, role, factor, out)
    elif call.kernel == SOFT_TRIPLE:
        soft_triple(call, s, a, i, factor, out)
    elif call.kernel == HARDEST:
        hardest(call, s, role, a, b, factor, out)
    elif call.kernel == SEMI_HARD:
        semi_hard(call, s, role, a, factor, out)
    elif call.kernel == ALL_TRIPLETS:
        all_triplets(call, s, role, a, b, sums, factor, out)
    elif call.kernel == AROUND_BORDER:
        around_border(call, s, role, i, factor, out)
    elif call.kernel == TWO_HINGES:
        two_hinges(call, s, role, factor, out)
    elif call.kernel == LIFTED_ROW:
        lifted_row(call, s, role, a, b, factor, out)
    elif call.kernel == NEGATIVE_SUM:
        negative_sum(call, s, role, b, out)
    elif call.kernel == LIFTED_PAIRS:
        lifted_pairs(call, s, role, b, i, factor, out)
    elif call.kernel == FAST_AP:
        fast_ap(call, s, role, factor, out)
    elif call.kernel == SPREAD:
        spread(call, s, role, a, factor, out)
    else:
        smooth_ap(call, s, role, a, i, factor, out)


cdef inline void run_row(const Call* call, Py_ssize_t i, unsigned char* role, real* a, real* b, real* d, real* copy,
                         double* sums) noexcept nogil:
    """One row: its derivatives in place, or, where none are wanted, in a copy, so that the products stay."""
    cdef real* s = <real*>call.matrix + i * call.columns
    cdef double* out = call.outputs + i * OUTPUTS
    cdef double factor = call.factor[i] if call.want_grad else 0.0
    cdef Py_ssize_t j, n = call.columns
    cdef int k
    for k in range(OUTPUTS):
        out[k] = 0.0
    if call.row_keep != NULL and not call.row_keep[i]:
        if call.want_grad:
            for j in range(n):
                s[j] = 0
        return
    if not call.want_grad:
        for j in range(n):
            copy[j] = s[j]
        s = copy
    assign_roles(call, i, role)
    if call.distance != DOT:
        become_distances(call, i, s)
        for j in range(n):
            d[j] = s[j]
    compute(call, i, s, role, a, b, sums, factor, out)
    if call.want_grad:
        if factor == 0.0 and call.kernel != BOTH_WAYS and call.kernel != LIFTED_PAIRS:
            for j in range(n):
                s[j] = 0
        elif call.distance != DOT:
            by_squares(call, i, s, <const real*>d, out)


cdef void run_part(Call* call, Py_ssize_t first, Py_ssize_t last, real tag) noexcept nogil:
    cdef Py_ssize_t n = call.columns + 32, i
    cdef double* sums = <double*>malloc(n * sizeof(double) + 5 * n * sizeof(real) + n)
    cdef real* buffer
    cdef unsigned char* role
    if sums == NULL:
        call.failed = 1
        return
    buffer = <real*>(sums + n)
    role = <unsigned char*>(buffer + 5 * n)
    for i in range(first, last):
        run_row(call, i, role, buffer, buffer + n, buffer + 3 * n, buffer + 4 * n, sums)
    free(sums)


cdef void run_tasks(Call* call, Py_ssize_t together, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t start = min(call.rows, first * together), stop = min(call.rows, last * together)
    if call.wide:
        run_part(call, start, stop, <double>0)
    else:
        run_part(call, start, stop, <float>0)


def rows(str kernel, tuple numbers, matrix, *, str distance, Py_ssize_t first, left, right, left_square, right_square,
         row_label, column_label, positive, row_keep, column_keep, bint own, bint diagonal, Py_ssize_t batch,
         bint in_batch, Py_ssize_t own_from, row_number, column_number, factor, outputs, bint want_grad):
    """Compute a chunk: ``matrix`` (rows, columns) of products becomes derivatives by them, if they are wanted.

    For distances other than cosines they are derivatives by squared differences. ``outputs`` (rows, 4) are value,
    units, and two numbers of the loss. None where there is none.
    """
    cdef Call call
    cdef Py_ssize_t i, tasks, together
    cdef int width = 1
    cdef FloatMode mode = get_float_mode()
    call.kernel = KERNELS[kernel]
    if len(numbers) > NUMBERS:
        raise SystemError(f"a kernel has at most {NUMBERS} numbers")
    for i in range(len(numbers)):
        call.numbers[i] = numbers[i]
    call.distance = DISTANCES[distance]
    call.rows, call.columns = matrix.shape
    call.first = first
    call.components = 0 if left is None else left.shape[1]
    call.matrix = <char*>cnp.PyArray_DATA(<cnp.ndarray>matrix)
    call.left = <const char*>start_of(left)
    call.right = <const char*>start_of(right)
    call.left_square = data_of(left_square)
    call.right_square = data_of(right_square)
    call.row_label = <const int64_t*>start_of(row_label)
    call.column_label = <const int64_t*>start_of(column_label)
    call.positive = bytes_of(positive)
    call.row_keep = bytes_of(row_keep)
    call.column_keep = bytes_of(column_keep)
    call.own = own
    call.diagonal = diagonal
    call.batch = batch
    call.in_batch = in_batch
    call.own_from = own_from
    call.row_number = data_of(row_number)
    call.column_number = data_of(column_number)
    call.factor = data_of(factor)
    call.outputs = data_of(outputs)
    call.want_grad = want_grad
    call.wide = matrix.dtype == "float64"
    call.failed = 0
    together = max(<Py_ssize_t>1, TASK // max(<Py_ssize_t>1, call.columns))
    tasks = (call.rows + together - 1) // together
    with nogil:
        if tasks > 1:
            width = _gate.begin(2.0 * call.rows * call.columns)
        if width == 1:
            run_tasks(&call, together, 0, tasks)
        else:
            for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                run_tasks(&call, together, first_task(i, tasks, width), first_task(i + 1, tasks, width))
            _gate.end()
    if call.failed:
        raise MemoryError(f"no memory for a row of {call.columns} similarities")


# ---- sums over columns -----------------------------------------------------------------------------------------

def column_sums(matrix, double scale, row_keep, top, sum):
    """Raise ``top`` and ``sum`` (columns,) by the exponentials of scale times a chunk of rows."""
    cdef Columns call
    cdef Py_ssize_t i, tasks
    cdef int width = 1
    cdef FloatMode mode = get_float_mode()
    call.matrix = <const char*>cnp.PyArray_DATA(<cnp.ndarray>matrix)
    call.rows, call.columns = matrix.shape
    call.scale = scale
    call.row_keep = bytes_of(row_keep)
    call.top = data_of(top)
    call.sum = data_of(sum)
    call.wide = matrix.dtype == "float64"
    tasks = (call.columns + COLUMNS - 1) // COLUMNS
    with nogil:
        if tasks > 1:
            width = _gate.begin(5.0 * call.rows * call.columns)
        if width == 1:
            add_tasks(&call, 0, tasks)
        else:
            for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                add_tasks(&call, first_task(i, tasks, width), first_task(i + 1, tasks, width))
            _gate.end()


# ---- passes over vectors -------------------------------------------------------------------------------------------

cdef bint go_through(Pass* p):
    """Run a pass, a row (or what is to be mirrored from a stretch of rows on) on one thread each."""
    cdef Py_ssize_t i, tasks, together = rows_together(p, TASK)
    cdef int width = 1
    cdef FloatMode mode = get_float_mode()
    tasks = (p.rows + together - 1) // together
    with nogil:
        if tasks > 1:
            width = _gate.begin((1.0 if p.step == MIRROR else 0.5) * p.rows * p.columns)
        if width == 1:
            run_pass(p, together, 0, tasks)
        else:
            for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                run_pass(p, together, first_task(i, tasks, width), first_task(i + 1, tasks, width))
            _gate.end()
    return True


cdef Pass pass_over(int step, object source, object target):
    """A pass over a matrix; what is left out is set by its caller."""
    cdef Pass p
    p.step = step
    p.rows, p.columns = source.shape
    p.source = <const char*>start_of(source)
    p.beside = NULL
    p.target = <char*>start_of(target)
    p.lengths = NULL
    p.shortest = 0.0
    p.scale = 1.0
    p.wide = source.dtype == "float64"
    return p


def unit_rows(source, target, lengths, double shortest):
    """Divide rows by their lengths, which go into ``lengths`` float64, or by ``shortest`` where that is more."""
    cdef Pass p = pass_over(DIVIDE, source, target)
    p.lengths = data_of(lengths)
    p.shortest = shortest
    go_through(&p)


def through_lengths(gradient, units, lengths, double shortest, double scale, target):
    """Write scale times the derivatives by rows that were divided by their lengths; the target may be the gradient."""
    cdef Pass p = pass_over(RETURN, gradient, target)
    p.beside = <const char*>start_of(units)
    p.lengths = data_of(lengths)
    p.shortest = shortest
    p.scale = scale
    go_through(&p)


def add_transpose(matrix):
    """Add its transpose to a square matrix."""
    cdef Pass p = pass_over(MIRROR, matrix, matrix)
    go_through(&p)


def row_sums(matrix, sums):
    """Add up the rows of a matrix in float64."""
    cdef Pass p = pass_over(SUM, matrix, None)
    p.lengths = data_of(sums)
    go_through(&p)


def by_differences(products, rows, sums, target):
    """Write 2 (sum x - product) of each row: derivatives by squared differences; the target may be the products."""
    cdef Pass p = pass_over(TOWARDS, products, target)
    p.beside = <const char*>start_of(rows)
    p.lengths = data_of(sums)
    go_through(&p)
