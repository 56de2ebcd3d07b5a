"""The functions through which a compiled caller asks for threads (capsule ``threads.gate``).

``begin`` takes the estimated serial duration of a call and returns the number of threads for it. If that is more than
1, the caller runs its loops in a ``prange`` of so many threads (``team.pxd``), and ``end`` gives them back. Who
computes which task must change no result.
"""

cdef struct ThreadGate:
    int (*begin)(double nanoseconds) noexcept nogil
    void (*end)() noexcept nogil
