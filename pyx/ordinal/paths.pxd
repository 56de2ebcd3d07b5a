"""Paths from the leaf of a class to the root of a tree: a question at each node, answered by a product.

``walk`` goes along the paths of some rows; ``gather`` adds up for some nodes what rows have brought there, in the order
of the rows.
"""

from libc.stdint cimport int64_t

from blocks cimport real

cdef extern from "losslib/similarity/vectors.h" namespace "losslib" nogil:
    double inner_product[T](const T* x, const T* y, Py_ssize_t n)

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    double softplus(double x)
    double sigmoid(double x)

cdef struct Tree:
    Py_ssize_t rows, nodes, components
    Py_ssize_t depth               # the longest path
    const char* hidden             # (rows, components)
    const char* vectors            # (nodes, components)
    const double* bias             # of the nodes, or NULL
    const int64_t* places          # (rows, depth): nodes, -1 where there is none
    const double* answers          # (rows, depth): yes 1, no 0, or between
    const double* factor           # of the derivatives of a row
    double* values
    double* slopes                 # (rows, depth), times the factor; NULL where no derivative is wanted
    char* by_hidden                # NULL where not wanted
    char* by_vectors
    double* by_bias
    int64_t* first                 # of each node: where its visits begin among all
    int64_t* visits                # place in `slopes` of each, by node and row
    bint wide                      # float64


cdef inline void walk(const Tree* t, Py_ssize_t first, Py_ssize_t last, real tag) noexcept nogil:
    cdef Py_ssize_t i, k, visit, d = t.components
    cdef double z, slope, answer
    cdef const real* x
    cdef const real* y
    cdef real* g
    for i in range(first, last):
        t.values[i] = 0.0
        x = <const real*>t.hidden + i * d
        g = <real*>t.by_hidden + i * d if t.by_hidden != NULL else NULL
        if g != NULL:
            for k in range(d):
                g[k] = 0
        for visit in range(i * t.depth, (i + 1) * t.depth):
            if t.places[visit] < 0:
                continue
            y = <const real*>t.vectors + t.places[visit] * d
            z = inner_product(x, y, d)
            if t.bias != NULL:
                z += t.bias[t.places[visit]]
            answer = t.answers[visit]
            if answer == 1.0:           # a sigmoid, without a difference
                t.values[i] += softplus(-z)
                slope = -sigmoid(-z)
            elif answer == 0.0:
                t.values[i] += softplus(z)
                slope = sigmoid(z)
            else:
                t.values[i] += softplus(z) - answer * z
                slope = sigmoid(z) - answer
            if t.slopes != NULL:
                slope = slope * t.factor[i] if t.factor[i] != 0 else 0.0
                t.slopes[visit] = slope
            if g != NULL:
                for k in range(d):
                    g[k] += <real>slope * y[k]


cdef inline void list_visits(const Tree* t) noexcept nogil:
    """Sort the visits of rows by node: count, then place."""
    cdef Py_ssize_t k, visits = t.rows * t.depth
    cdef int64_t before = 0, count
    for k in range(t.nodes + 1):
        t.first[k] = 0
    for k in range(visits):
        if t.places[k] >= 0:
            t.first[t.places[k]] += 1
    for k in range(t.nodes + 1):
        count = t.first[k]
        t.first[k] = before
        before += count
    for k in range(visits):
        if t.places[k] >= 0:
            t.visits[t.first[t.places[k]]] = k
            t.first[t.places[k]] += 1
    for k in range(t.nodes, 0, -1):
        t.first[k] = t.first[k - 1]
    t.first[0] = 0


cdef inline void gather(const Tree* t, Py_ssize_t first, Py_ssize_t last, real tag) noexcept nogil:
    cdef Py_ssize_t node, k, d = t.components
    cdef int64_t visit
    cdef double slope
    cdef const real* x
    cdef real* g
    for node in range(first, last):
        if t.by_bias != NULL:
            t.by_bias[node] = 0.0
        g = <real*>t.by_vectors + node * d if t.by_vectors != NULL else NULL
        if g != NULL:
            for k in range(d):
                g[k] = 0
        for visit in range(t.first[node], t.first[node + 1]):
            slope = t.slopes[t.visits[visit]]
            if t.by_bias != NULL:
                t.by_bias[node] += slope
            if g != NULL:
                x = <const real*>t.hidden + t.visits[visit] // t.depth * d
                for k in range(d):
                    g[k] += <real>slope * x[k]


cdef inline void walk_tasks(const Tree* t, Py_ssize_t together, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t start = min(t.rows, first * together), stop = min(t.rows, last * together)
    if t.wide:
        walk(t, start, stop, <double>0)
    else:
        walk(t, start, stop, <float>0)


cdef inline void gather_tasks(const Tree* t, Py_ssize_t together, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t start = min(t.nodes, first * together), stop = min(t.nodes, last * together)
    if t.wide:
        gather(t, start, stop, <double>0)
    else:
        gather(t, start, stop, <float>0)
