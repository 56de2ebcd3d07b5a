"""One chunk of rows of a similarity matrix, as its kernels read it."""

from libc.stdint cimport int64_t

cdef enum:
    NUMBERS = 8
    OUTPUTS = 4            # of a row: its value, how many units it has, and two numbers of the loss's own

# What an entry is to its row.
cdef enum Role:
    OUTSIDE = 0            # the row itself, or masked out
    POSITIVE = 1
    NEGATIVE = 2

cdef enum Distance:
    DOT = 0                # a similarity: the product itself
    COSINE = 1             # 1 - product
    SQUARED = 2            # of the difference
    EUCLIDEAN = 3
    RELATIVE = 4           # squared, over the squared length of the row

cdef struct Call:
    int kernel
    double[NUMBERS] numbers
    int distance
    Py_ssize_t rows, columns       # of the chunk
    Py_ssize_t first               # the place of its first row among all rows
    Py_ssize_t components
    char* matrix                   # (rows, columns): products, afterwards derivatives
    const char* left               # (rows, components) of the chunk
    const char* right              # (columns, components)
    const double* left_square      # squared lengths
    const double* right_square
    const int64_t* row_label       # of the chunk
    const int64_t* column_label
    const unsigned char* positive  # (rows, columns) in place of labels, or NULL
    const unsigned char* row_keep  # NULL: all count
    const unsigned char* column_keep
    bint own                       # column i is row i: it is outside
    bint diagonal                  # column i is the one positive of row i
    Py_ssize_t batch               # columns from here on are negatives of everybody
    bint in_batch                  # False: columns before are outside but for the positive
    Py_ssize_t own_from            # columns from here on are the rows once more: column own_from + i is outside
    const double* row_number       # a number that the loss has for each row or column, or NULL
    const double* column_number
    const double* factor           # of the derivatives of a row
    double* outputs                # (rows, OUTPUTS)
    bint want_grad
    bint wide                      # float64
    int failed
