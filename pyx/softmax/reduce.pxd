"""Reductions over the classes of a row: largest, exponentials and their sum, products."""

from libc.math cimport INFINITY

from blocks cimport real, sum_block

cdef extern from "losslib/simd/batch.h" namespace "losslib" nogil:
    cppclass Batch[T]:
        void fill(T number)
        void load(const T* source)
        void store(T* target)
        void raise_to(const Batch[T]& other)
        void add(const Batch[T]& other)
        void subtract(const Batch[T]& other)
        void multiply(const Batch[T]& other)
        void become_exp()
    void add_widened(Batch[double]& sum, const Batch[float]& terms)
    void add_widened(Batch[double]& sum, const Batch[double]& terms)

cdef extern from "losslib/simd/stream.h" namespace "losslib" nogil:
    void prefetch(const char* source)

cdef extern from "losslib/softmax/softmax.h" namespace "losslib" nogil:
    T product_or_zero[T](T coefficient, T factor)

cdef enum:
    BLOCK = 512    # numbers that are added in the type of the row before float64 takes over: 32 in each lane


cdef inline real row_max(const real* x, Py_ssize_t n) noexcept nogil:
    """The largest of n > 0 numbers. A NaN may be passed over: it comes back as the exponential of itself."""
    cdef Batch[real] even, odd, next
    cdef real[16] lane
    cdef Py_ssize_t i = 16
    cdef int k
    if n < 16:
        lane[0] = x[0]
        for k in range(1, <int>n):
            lane[0] = x[k] if x[k] > lane[0] else lane[0]
        return lane[0]
    even.load(x)
    odd.load(x + (n - 16))      # the rest, and some that are looked at twice
    while i + 32 <= n:
        next.load(x + i)
        even.raise_to(next)
        next.load(x + (i + 16))
        odd.raise_to(next)
        i += 32
    if i + 16 <= n:
        next.load(x + i)
        even.raise_to(next)
    even.raise_to(odd)
    even.store(lane)
    for k in range(8):
        lane[k] = lane[k + 8] if lane[k + 8] > lane[k] else lane[k]
    for k in range(4):
        lane[k] = lane[k + 4] if lane[k + 4] > lane[k] else lane[k]
    for k in range(1, 4):
        lane[0] = lane[k] if lane[k] > lane[0] else lane[0]
    return lane[0]


cdef struct Exponentials:
    double sum
    double exponents    # sum of x - m


cdef inline Exponentials row_exp(const real* x, real m, real* e, Py_ssize_t n) noexcept nogil:
    """e = exp(x - m), return the sums. e may be x. What lies one length ahead is asked for meanwhile.

    The lanes of a block are added in the type of the row: 32 terms of [0, 1] lose no more than the exponentials lack
    already. Blocks are added in float64. The sum of x - m costs nothing: the units that add are idle most of the time.
    """
    cdef Batch[real] top, terms, block, plain
    cdef Batch[double] total, exponents
    cdef Exponentials sums
    cdef real[16] rest
    cdef double[16] lane
    cdef Py_ssize_t i = 0, stop
    cdef int k, left = <int>(n % 16)
    top.fill(m)
    total.fill(0.0)
    exponents.fill(0.0)
    while i + 16 <= n:
        stop = min(i + BLOCK, n - left)
        block.fill(0)
        plain.fill(0)
        while i < stop:
            prefetch(<const char*>(x + (i + n)))
            terms.load(x + i)
            terms.subtract(top)
            plain.add(terms)
            terms.become_exp()
            terms.store(e + i)
            block.add(terms)
            i += 16
        add_widened(total, block)
        add_widened(exponents, plain)
    exponents.store(lane)
    sums.exponents = sum_block(<const double*>lane, 16)
    if left:
        for k in range(16):
            rest[k] = -INFINITY
        for k in range(left):
            rest[k] = x[i + k]
            sums.exponents += <double>x[i + k] - <double>m
        terms.load(rest)
        terms.subtract(top)
        terms.become_exp()
        add_widened(total, terms)
        terms.store(rest)
        for k in range(left):
            e[i + k] = rest[k]
    total.store(lane)
    sums.sum = sum_block(<const double*>lane, 16)
    return sums


cdef inline double row_dot(const real* a, const real* b, real origin, real* product, Py_ssize_t n) noexcept nogil:
    """Sum of a * (b - origin) in float64; a zero in a makes its term zero, whatever b is. The products are left in a
    buffer.

    The choice is not made inside the sum: GCC 12 turns a conditional term of 16 float64 lanes into masked additions
    that lose terms with AVX-512.
    """
    cdef Py_ssize_t i
    for i in range(n):
        product[i] = product_or_zero(a[i], b[i] - origin)
    return sum_block(<const real*>product, n)
