"""What goes with the products: rows divided by their lengths, the way back, sums of a matrix with its transpose."""

from blocks cimport real

cdef extern from "losslib/similarity/vectors.h" namespace "losslib" nogil:
    const Py_ssize_t TRANSPOSED_ROWS "losslib::transposed_rows"
    double sum_of_row[T](const T* x, Py_ssize_t n)
    double divide_by_length[T](const T* x, T* unit, Py_ssize_t n, double shortest)
    void through_length[T](const T* g, const T* unit, double length, T* target, Py_ssize_t n, double shortest,
                           double scale)
    void add_mirror_image[T](T* matrix, Py_ssize_t n, Py_ssize_t first, Py_ssize_t second)

cdef enum Step:
    DIVIDE = 0             # source by its lengths
    RETURN = 1             # gradients by unit vectors to those by vectors
    MIRROR = 2             # add the transpose
    SUM = 3                # rows
    TOWARDS = 4            # 2 (length x - g): derivatives by squared differences

# One pass over rows; `lengths` are numbers of the rows, whatever the step makes of them.
cdef struct Pass:
    int step
    Py_ssize_t rows, columns
    const char* source             # (rows, columns)
    const char* beside
    char* target
    double* lengths
    double shortest
    double scale
    bint wide                      # float64


cdef inline void run_rows_of_pass(const Pass* p, Py_ssize_t first, Py_ssize_t last, real tag) noexcept nogil:
    cdef const real* x = <const real*>p.source
    cdef const real* y = <const real*>p.beside
    cdef real* t = <real*>p.target
    cdef Py_ssize_t i, j, n = p.columns
    if p.step == MIRROR:
        i = first
        while i < last:
            j = i
            while j < n:
                add_mirror_image(t, n, i, j)
                j += TRANSPOSED_ROWS
            i += TRANSPOSED_ROWS
        return
    for i in range(first, last):
        if p.step == DIVIDE:
            p.lengths[i] = divide_by_length(x + i * n, t + i * n, n, p.shortest)
        elif p.step == RETURN:
            through_length(x + i * n, y + i * n, p.lengths[i], t + i * n, n, p.shortest, p.scale)
        elif p.step == SUM:
            p.lengths[i] = sum_of_row(x + i * n, n)
        else:
            for j in range(n):
                t[i * n + j] = <real>(2.0 * (p.lengths[i] * <double>y[i * n + j] - <double>x[i * n + j]))


cdef inline Py_ssize_t rows_together(const Pass* p, Py_ssize_t numbers) noexcept nogil:
    """The rows of a task, of about so many numbers."""
    if p.step == MIRROR:
        return TRANSPOSED_ROWS
    return max(<Py_ssize_t>1, numbers // max(<Py_ssize_t>1, p.columns))


cdef inline void run_pass(const Pass* p, Py_ssize_t together, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Run the tasks first … last - 1."""
    cdef Py_ssize_t start = min(p.rows, first * together), stop = min(p.rows, last * together)
    if p.wide:
        run_rows_of_pass(p, start, stop, <double>0)
    else:
        run_rows_of_pass(p, start, stop, <float>0)
