"""The functions through which a compiled caller uses threads (capsule ``threads.gate``).

``begin`` takes the estimated serial duration of a call and returns the number of threads for it. If that is more than
1, ``run`` hands out the blocks and ``end`` gives the threads back. Who computes which block must change no result.
"""

# Context, number of the block, slot of the thread: from 0, below the number of threads.
ctypedef void (*BlockFunction)(void*, Py_ssize_t, int) noexcept nogil

cdef struct ThreadGate:
    int (*begin)(double nanoseconds) noexcept nogil
    void (*run)(BlockFunction function, void* context, Py_ssize_t blocks, int threads) noexcept nogil
    void (*end)() noexcept nogil
