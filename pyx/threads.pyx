"""Thread control: the Python face of include/losslib/core/thread_state.h.

The state lives in this module alone; compiled callers reach it through the capsule ``gate``.
"""

from cpython.pycapsule cimport PyCapsule_New

from libcpp cimport bool

from gate cimport ThreadGate

cdef extern from "<atomic>" namespace "std" nogil:
    cppclass atomic[T]:
        T load()
        void store(T)

cdef extern from "losslib/core/thread_state.h" namespace "losslib" nogil:
    cppclass ThreadState:
        atomic[int] width
        atomic[bool] busy
        atomic[bool] forked
        atomic[int] creatable
        atomic[double] threshold
    ThreadState& thread_state()
    int register_fork_guard()
    bint openmp_built()
    int openmp_limit()
    int begin_parallel(double nanoseconds) noexcept
    void end_parallel() noexcept


cdef ThreadGate _gate
_gate.begin = begin_parallel
_gate.end = end_parallel
gate = PyCapsule_New(&_gate, b"losslib.thread_gate", NULL)


def install_fork_guard():
    """Make every forked child of this process compute serially."""
    if register_fork_guard() != 0:
        raise MemoryError("the fork guard could not be registered")


def set_width(int width):
    """Set the configured number of threads; the caller has checked it."""
    thread_state().width.store(width)
    thread_state().creatable.store(-1)


def width():
    """Return the configured number of threads."""
    return thread_state().width.load()


def forked():
    """Say whether this process is a forked child, which computes serially."""
    return True if thread_state().forked.load() else False


def creatable():
    """Return False after the attempt to create threads failed, True after it succeeded, None before."""
    cdef int answer = thread_state().creatable.load()
    return None if answer < 0 else answer == 1


def openmp():
    """Say whether the package was built with OpenMP."""
    return True if openmp_built() else False


def limit():
    """Return the calling thread's OpenMP limit, which threadpoolctl and joblib set."""
    return openmp_limit()


def set_threshold(double nanoseconds):
    """Set the estimated serial time from which a call uses threads; for measurements and tests."""
    thread_state().threshold.store(nanoseconds)


def threshold():
    """Return the estimated serial time, in nanoseconds, from which a call uses threads."""
    return thread_state().threshold.load()
