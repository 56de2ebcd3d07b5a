"""NeuralNDCG: a sort relaxed to a matrix, made doubly stochastic, and the NDCG of the gains that it sorts.

P0 is NeuralSort's matrix, row i a softmax that points at the item of rank i. Sinkhorn's steps divide columns and rows
by their sums in turn; P = diag(u) P0 diag(v) all the while, so a step is two vectors, and all that is needed to go back
through it.
"""

from libc.math cimport fabs, log2

from lists.list cimport List, Options, exp_nonpositive, item_weight, sort_falling


cdef inline void neural_sort(const List* l, double* p, double inverse, double* spread) noexcept nogil:
    """Fill P0: row i (from 0) the softmax over j of ((n - 1 - 2 i) s_j - Σ_k |s_j - s_k|)/temperature."""
    cdef Py_ssize_t n = l.n, i, j, k
    cdef double top, sum, factor
    cdef double* row
    for j in range(n):
        sum = 0.0
        for k in range(n):
            sum += fabs(l.score[j] - l.score[k])
        spread[j] = sum
    for i in range(n):
        row = p + i * n
        factor = n - 1.0 - 2.0 * i
        for j in range(n):
            row[j] = (factor * l.score[j] - spread[j]) * inverse
        top = row[0]
        for j in range(n):
            top = row[j] if row[j] > top else top
        sum = 0.0
        for j in range(n):
            row[j] = exp_nonpositive(row[j] - top)
            sum += row[j]
        for j in range(n):
            row[j] /= sum


cdef inline void inverse_sums(const double* p, Py_ssize_t n, const double* weight, bint of_rows,
                              double* found) noexcept nogil:
    """1 over the sums of P0's rows, or of its columns, each number times the weight of its other index."""
    cdef Py_ssize_t i, j
    cdef double sum
    if of_rows:
        for i in range(n):
            sum = 0.0
            for j in range(n):
                sum += p[i * n + j] * weight[j]
            found[i] = 1.0 / sum
        return
    for j in range(n):
        found[j] = 0.0
    for i in range(n):
        for j in range(n):
            found[j] += p[i * n + j] * weight[i]
    for j in range(n):
        found[j] = 1.0 / found[j]


cdef inline Py_ssize_t balance(const double* p, Py_ssize_t n, Py_ssize_t most, double tolerance, double* u,
                               double* v) noexcept nogil:
    """Fill u and v of each step, step 0 being 1; return the number of steps until the columns sum to 1, or `most`."""
    cdef Py_ssize_t k, j
    cdef double off
    for j in range(n):
        u[j] = v[j] = 1.0
    for k in range(most):
        inverse_sums(p, n, u + k * n, False, v + (k + 1) * n)
        if k > 0:
            off = 0.0
            for j in range(n):
                off = max(off, fabs(v[k * n + j] / v[(k + 1) * n + j] - 1.0))
            if off < tolerance:
                return k
        inverse_sums(p, n, v + (k + 1) * n, True, u + (k + 1) * n)
    return most


cdef inline void go_back(const double* p, Py_ssize_t n, Py_ssize_t steps, const double* u, const double* v,
                         double* by_u, double* by_v, double* by_p) noexcept nogil:
    """Derivatives by P0 of what depends on the last u and v: each step back is 1/sum, whose slope is -1/sum²."""
    cdef Py_ssize_t k, i, j
    cdef const double* before
    for k in range(steps, 0, -1):
        for i in range(n):                   # u_k = 1/(P0 v_k)
            by_u[i] *= -u[k * n + i] * u[k * n + i]
        for i in range(n):
            for j in range(n):
                by_v[j] += p[i * n + j] * by_u[i]
                by_p[i * n + j] += by_u[i] * v[k * n + j]
        before = u + (k - 1) * n
        for j in range(n):                   # v_k = 1/(P0ᵀ u_(k-1))
            by_v[j] *= -v[k * n + j] * v[k * n + j]
        for i in range(n):
            by_u[i] = 0.0
            for j in range(n):
                by_u[i] += p[i * n + j] * by_v[j]
                by_p[i * n + j] += before[i] * by_v[j]
        for j in range(n):
            by_v[j] = 0.0


cdef inline void through_sort(List* l, const double* p, const double* by_p, double inverse,
                              double* by_spread) noexcept nogil:
    """Derivatives by the scores from those by P0: through the softmax of each row and the sums of distances."""
    cdef Py_ssize_t n = l.n, i, j, k
    cdef double mean, part, factor
    for j in range(n):
        by_spread[j] = l.grad[j] = 0.0
    for i in range(n):
        factor = n - 1.0 - 2.0 * i
        mean = 0.0
        for j in range(n):
            mean += p[i * n + j] * by_p[i * n + j]
        for j in range(n):
            part = p[i * n + j] * (by_p[i * n + j] - mean) * inverse
            l.grad[j] += factor * part
            by_spread[j] -= part
    for j in range(n):
        for k in range(n):
            part = by_spread[j] + by_spread[k]
            if l.score[j] > l.score[k]:
                l.grad[j] += part
            elif l.score[j] < l.score[k]:
                l.grad[j] -= part


cdef inline double neural_ndcg(const Options* o, List* l) noexcept nogil:
    """-Σ disc_i (P gain)_i/ideal over the first topn ranks; a list whose ideal is 0 has the value 0."""
    cdef double* gain = l.room[0]
    cdef double* discount = l.room[1]
    cdef double* by_u = l.room[2]
    cdef double* by_v = l.room[3]
    cdef double* p = l.matrix
    cdef double* by_p = p + l.n * l.n
    cdef double* u = by_p + l.n * l.n
    cdef double* v = u + (o.steps + 1) * l.n
    cdef double ideal = 0.0, value = 0.0, part
    cdef Py_ssize_t n = l.n, i, j, steps, topn = min(o.topn, l.n)
    cdef const double* last_u
    cdef const double* last_v
    for i in range(n):
        gain[i] = l.gain[i] * item_weight(l, i)
        discount[i] = 1.0 / log2(2.0 + i) if i < topn else 0.0
        l.grad[i] = l.hess[i] = 0.0
    sort_falling(gain, n, l.places)
    for i in range(topn):
        ideal += gain[l.places[i].item] * discount[i]
    if ideal == 0:
        return 0.0
    neural_sort(l, p, 1.0 / o.sigma, by_u)
    steps = balance(p, n, o.steps, o.epsilon, u, v)
    last_u, last_v = u + steps * n, v + steps * n
    for i in range(n):
        by_u[i] = by_v[i] = 0.0
    for i in range(n):
        for j in range(n):
            part = -discount[i] * gain[j] / ideal
            value += last_u[i] * p[i * n + j] * last_v[j] * part
            by_p[i * n + j] = last_u[i] * last_v[j] * part
            by_u[i] += p[i * n + j] * last_v[j] * part
            by_v[j] += last_u[i] * p[i * n + j] * part
    go_back(p, n, steps, u, v, by_u, by_v, by_p)
    through_sort(l, p, by_p, 1.0 / o.sigma, by_u)
    return value
