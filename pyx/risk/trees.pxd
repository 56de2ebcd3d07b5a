"""Binary trees over sums that cannot be taken back by subtracting: risk sets that people enter and leave.

A tree of `leaves`, a power of two, is an array of 2 * leaves nodes: the root is node 1, leaf k node leaves + k, and
each node holds its two children together. A leaf changes in log2(leaves) steps; no difference is ever formed.
"""

cdef extern from "losslib/risk/cox.h" namespace "losslib" nogil:
    struct Mass:
        double top
        double rest
        Py_ssize_t who
    struct Rate:
        double top
        double first
        double second
    Mass no_mass()
    Mass mass_of(double y, Py_ssize_t who)
    Mass masses_together "losslib::together"(const Mass& a, const Mass& b)
    Rate no_rate()
    Rate rates_together "losslib::together"(const Rate& a, const Rate& b)


cdef inline Py_ssize_t leaves_for(Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t leaves = 1
    while leaves < count:
        leaves *= 2
    return leaves


cdef inline void set_leaf(Mass* tree, Py_ssize_t leaves, Py_ssize_t k, Mass mass) noexcept nogil:
    cdef Py_ssize_t node = leaves + k
    tree[node] = mass
    while node > 1:
        node //= 2
        tree[node] = masses_together(tree[2 * node], tree[2 * node + 1])


cdef inline void add_up(Rate* tree, Py_ssize_t leaves) noexcept nogil:
    """Fill the nodes above the leaves."""
    cdef Py_ssize_t node = leaves - 1
    while node > 0:
        tree[node] = rates_together(tree[2 * node], tree[2 * node + 1])
        node -= 1


cdef inline Rate between(const Rate* tree, Py_ssize_t leaves, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """The sum of the leaves start … stop - 1."""
    cdef Rate left = no_rate(), right = no_rate()
    cdef Py_ssize_t low = leaves + start, high = leaves + stop
    while low < high:
        if low % 2 == 1:
            left = rates_together(left, tree[low])
            low += 1
        if high % 2 == 1:
            high -= 1
            right = rates_together(tree[high], right)
        low //= 2
        high //= 2
    return rates_together(left, right)
