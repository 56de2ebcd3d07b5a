"""Exact sums of floating-point numbers: the same for every order and every split of the numbers.

A sum is a fixed-point number of 67 digits to the base 2³², wide enough for every finite float64: digit k weighs
2^(32k − 1074). Each digit is an int64, so that 2³⁰ numbers can be added before carries must be passed on (``carry``),
and adding two sums is adding integers. Three more entries count what has no digits: +inf, −inf and NaN.

Most numbers never see the digits one by one. A block is cut by error-free extraction (x + σ) − σ with a power of two σ
above its largest magnitude: the cut pieces are multiples of one unit and few enough for their float64 sum to be exact.
Two cuts take 86 bits below the largest magnitude of the block; only a block that reaches further goes number by number.
(S. M. Rump, T. Ogita, S. Oishi, Accurate floating-point summation, SIAM J. Sci. Comput. 31 (2008).)
"""

cimport numpy as cnp
from libc.math cimport fabs
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

cnp._import_array()

cdef enum:
    DIGITS = 67
    PLUS_INFINITY = DIGITS       # counts behind the digits
    MINUS_INFINITY
    NOT_A_NUMBER
    WIDTH
    BLOCK = 512                  # 2⁹ numbers: the margin of 10 bits in `add_block` rests on it
    LANES = 8

ctypedef fused real:
    float
    double

#: Entries of one sum.
width = WIDTH
digits = DIGITS


cdef inline void add_number(int64_t* sums, double number) noexcept nogil:
    """Add the 53 bits of a number to the three digits that they touch."""
    cdef uint64_t bits, mantissa, low
    cdef int exponent, shift
    cdef int64_t* digit
    memcpy(&bits, &number, 8)
    exponent = <int>((bits >> 52) & 0x7FF)
    mantissa = bits & ((<uint64_t>1 << 52) - 1)
    if exponent == 0x7FF:
        sums[NOT_A_NUMBER if mantissa else (MINUS_INFINITY if bits >> 63 else PLUS_INFINITY)] += 1
        return
    if exponent:
        mantissa |= <uint64_t>1 << 52
        exponent -= 1
    digit = sums + (exponent >> 5)
    shift = exponent & 31
    low = mantissa << shift                       # the lower 64 of at most 84 bits
    mantissa = (mantissa >> 32) >> (32 - shift)   # the others
    if bits >> 63:
        digit[0] -= <int64_t><uint32_t>low
        digit[1] -= <int64_t>(low >> 32)
        digit[2] -= <int64_t>mantissa
    else:
        digit[0] += <int64_t><uint32_t>low
        digit[1] += <int64_t>(low >> 32)
        digit[2] += <int64_t>mantissa


cdef inline double power_of_two(int exponent) noexcept nogil:
    cdef uint64_t bits = <uint64_t>(exponent + 1023) << 52
    cdef double number
    memcpy(&number, &bits, 8)
    return number


cdef inline void add_block(int64_t* sums, const real* numbers, Py_ssize_t n) noexcept nogil:
    """Add at most BLOCK numbers, by two cuts if these take all of their bits."""
    cdef double[LANES] largest, coarse, fine, left
    cdef double number, piece, rest, cut, second_cut, top = 0.0
    cdef uint64_t bits
    cdef Py_ssize_t i, whole = n - n % LANES
    cdef int k, exponent
    cdef bint ordinary = True
    for k in range(LANES):
        largest[k] = 0.0
        coarse[k] = 0.0
        fine[k] = 0.0
        left[k] = 0.0
    for i in range(whole // LANES):
        for k in range(LANES):
            number = fabs(<double>numbers[i * LANES + k])
            largest[k] = number if number > largest[k] else largest[k]
    for k in range(LANES):
        top = max(top, largest[k])
    memcpy(&bits, &top, 8)
    exponent = <int>((bits >> 52) & 0x7FF) - 1022    # top < 2^exponent
    ordinary = -900 < exponent < 1000
    if ordinary:
        # 1.5 · 2^s keeps x + cut in one binade: pieces are multiples of 2^(s − 52), and 2⁹ of them below 2^exponent
        # add up to less than 2^(exponent + 9) < 2^(s − 52 + 53), exactly.
        cut = 1.5 * power_of_two(exponent + 10)
        second_cut = 1.5 * power_of_two(exponent + 10 - 53 + 10)
        for i in range(whole // LANES):
            for k in range(LANES):
                number = <double>numbers[i * LANES + k]
                piece = (number + cut) - cut
                rest = number - piece
                coarse[k] += piece
                piece = (rest + second_cut) - second_cut
                fine[k] += piece
                left[k] += fabs(rest - piece)
        for k in range(LANES):
            ordinary = ordinary and left[k] == 0.0    # false for NaN, which infinities turn into here
    if not ordinary:
        for i in range(n):
            add_number(sums, <double>numbers[i])
        return
    for k in range(1, LANES):
        coarse[0] += coarse[k]
        fine[0] += fine[k]
    add_number(sums, coarse[0])
    add_number(sums, fine[0])
    for i in range(whole, n):
        add_number(sums, <double>numbers[i])


cdef void add_all(int64_t* sums, const real* numbers, const int64_t* groups, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    if groups == NULL:
        for i in range((n + BLOCK - 1) // BLOCK):
            add_block(sums, numbers + i * BLOCK, min(<Py_ssize_t>BLOCK, n - i * BLOCK))
    else:
        for i in range(n):
            add_number(sums + groups[i] * WIDTH, <double>numbers[i])


def add(sums, numbers, groups=None):
    """Add numbers to one sum, or each to the sum of its group.

    Parameters
    ----------
    sums : ndarray of int64, shape (groups, width), C-contiguous
    numbers : ndarray of float32 or float64, shape (n,), C-contiguous
        At most 2³⁰ since the last `carry`.
    groups : ndarray of int64, shape (n,), C-contiguous, optional
        Row of the sum that each number belongs to; the caller has checked the range.
    """
    cdef int64_t* target = <int64_t*>cnp.PyArray_DATA(<cnp.ndarray>sums)
    cdef const int64_t* rows = NULL
    cdef const void* data = cnp.PyArray_DATA(<cnp.ndarray>numbers)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(<cnp.ndarray>numbers)
    cdef bint double_precision = cnp.PyArray_TYPE(<cnp.ndarray>numbers) == cnp.NPY_FLOAT64
    if groups is not None:
        rows = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>groups)
    with nogil:
        if double_precision:
            add_all(target, <const double*>data, rows, n)
        else:
            add_all(target, <const float*>data, rows, n)


def carry(sums):
    """Pass carries on: afterwards every digit but the last lies in [0, 2³²)."""
    cdef int64_t* first = <int64_t*>cnp.PyArray_DATA(<cnp.ndarray>sums)
    cdef int64_t* row
    cdef Py_ssize_t i, rows = cnp.PyArray_SIZE(<cnp.ndarray>sums) // WIDTH
    cdef int k
    with nogil:
        for i in range(rows):
            row = first + i * WIDTH
            for k in range(DIGITS - 1):
                row[k + 1] += row[k] >> 32    # an arithmetic shift: rounds towards minus infinity
                row[k] = <int64_t><uint32_t>row[k]
