"""The two functions through which a compiled caller asks for threads (capsule ``threads.gate``)."""

cdef struct ThreadGate:
    int (*begin)(double nanoseconds) noexcept nogil
    void (*end)() noexcept nogil
