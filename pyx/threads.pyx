"""Thread control: the Python face of include/losslib/system/thread_state.h.

The state lives in this module alone; compiled callers reach it through the capsule ``gate``.
"""

import warnings

from cpython.pycapsule cimport PyCapsule_New

from libc.stdint cimport int64_t
from libcpp cimport bool

from gate cimport ThreadGate

cdef extern from "<atomic>" namespace "std" nogil:
    cppclass atomic[T]:
        T load()
        void store(T)

cdef extern from "losslib/system/thread_state.h" namespace "losslib" nogil:
    enum: most_threads
    cppclass ThreadState:
        atomic[int] width
        atomic[bool] busy
        atomic[bool] forked
        atomic[bool] stranded
        atomic[int] creatable
        atomic[int] granted
        atomic[double] threshold
        atomic[int64_t] recent
    cppclass Team:
        int width
    ThreadState& thread_state()
    Team& own_team()
    int register_fork_guard()
    int openmp_specification()
    const char* openmp_library()
    bint is_llvm_runtime()
    bint can_release_teams()
    int openmp_limit()
    int begin_parallel(double nanoseconds, bool* refused) noexcept
    void end_parallel() noexcept


cdef int begin(double nanoseconds) noexcept nogil:
    cdef bool refused = False
    cdef int width = begin_parallel(nanoseconds, &refused)
    if refused:
        warn_of_missing_threads(width)
    return width


cdef void warn_of_missing_threads(int width) noexcept with gil:
    # Once: no further attempt is made until the number of threads is set again. Where warnings are errors, it is
    # reported as unraisable: the call itself goes on and is right.
    warnings.warn(
        f"the system refused to create the {thread_state().width.load() - 1} threads that large calls of losslib "
        f"may use (a limit on processes?); they go on with {'one thread' if width == 1 else f'{width} threads'}. "
        "losslib.set_num_threads(1) or LOSSLIB_NUM_THREADS=1 asks for none",
        RuntimeWarning,
        stacklevel=1,
    )


cdef ThreadGate _gate
_gate.begin = begin
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
    thread_state().granted.store(most_threads)


def width():
    """Return the configured number of threads."""
    return thread_state().width.load()


def set_recent(int64_t nanoseconds):
    """Set within what time of another a short call uses threads."""
    thread_state().recent.store(nanoseconds)


def recent():
    """Return within what time of another a short call uses threads, in nanoseconds."""
    return thread_state().recent.load()


def workers():
    """Return how many worker threads the calling thread has."""
    return own_team().width - 1


def forked():
    """Say whether this process is a forked child that computes serially."""
    return True if thread_state().forked.load() else False


def stranded():
    """Say whether this process is a forked child that can never have threads."""
    return True if thread_state().stranded.load() else False


def allow_in_child():
    """Let a forked child have threads of its own."""
    thread_state().forked.store(False)


def creatable():
    """Return False after the attempt to create threads failed, True after it succeeded, None before."""
    cdef int answer = thread_state().creatable.load()
    return None if answer < 0 else answer == 1


def granted():
    """Return the most threads that the system allows a call as far as is known."""
    return thread_state().granted.load()


def openmp():
    """Say whether the package was built with OpenMP."""
    return openmp_specification() > 0


def runtime():
    """Return the specification (year and month) of OpenMP, the file of its runtime, and what it can.

    Returns
    -------
    specification : int
        0 without OpenMP.
    library : str
        Empty where it is unknown.
    llvm : bool
        Whether the runtime is LLVM's or Intel's.
    releases : bool
        Whether a thread can give its workers back.
    """
    return (
        openmp_specification(), openmp_library().decode("utf-8", "replace"), is_llvm_runtime(), can_release_teams(),
    )


def limit():
    """Return the calling thread's OpenMP limit, which threadpoolctl and joblib set, or None without OpenMP."""
    return openmp_limit() or None


def set_threshold(double nanoseconds):
    """Set the estimated serial time from which a call uses threads; for measurements and tests."""
    thread_state().threshold.store(nanoseconds)


def threshold():
    """Return the estimated serial time, in nanoseconds, from which a call uses threads."""
    return thread_state().threshold.load()
