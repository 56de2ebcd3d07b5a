"""What a parallel loop needs beside Cython's ``prange``; docs/develop/threads.rst shows its form.

A thread takes a run of neighbouring tasks at a time, in the floating-point mode of the caller, which a worker of OpenMP
does not take over by itself.
"""

cdef extern from "losslib/system/float_mode.h" namespace "losslib" nogil:
    cppclass FloatMode:
        pass
    FloatMode get_float_mode() noexcept
    void set_float_mode(FloatMode mode) noexcept

cdef extern from "losslib/system/runs.h" namespace "losslib" nogil:
    Py_ssize_t count_runs(Py_ssize_t tasks, int width) noexcept
    Py_ssize_t first_task(Py_ssize_t run, Py_ssize_t tasks, int width) noexcept
