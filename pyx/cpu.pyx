"""What the processor and the process are like; compiled with baseline flags, so it is safe to import anywhere."""

cdef extern from "losslib/system/cpu.h" namespace "losslib" nogil:
    bint runs_v3()
    bint runs_v4()
    const char* architecture()
    const char* compiler()

cdef extern from "losslib/system/waiting.h" namespace "losslib" nogil:
    bint _is_loaded "losslib::is_loaded"(const char* name)
    size_t _default_stack "losslib::default_stack"()
    double _spins_per_microsecond "losslib::spins_per_microsecond"()


def supported():
    """Return the names of the instruction sets that this processor runs, the widest last."""
    names = ["baseline"]
    if runs_v3():
        names.append("v3")
    if runs_v4():
        names.append("v4")
    return tuple(names)


def build():
    """Return the architecture and the compiler that this package was built with."""
    return {"architecture": architecture().decode(), "compiler": compiler().decode()}


def is_loaded(str library):
    """Say whether this process has loaded a shared library of this name."""
    return bool(_is_loaded(library.encode()))


def default_stack():
    """Return the bytes of stack that a new thread gets, 0 where that is unknown."""
    return _default_stack()


def spins_per_microsecond():
    """Return how often libgomp looks for work in a microsecond while it waits awake; measured in some 20 us."""
    return _spins_per_microsecond()
