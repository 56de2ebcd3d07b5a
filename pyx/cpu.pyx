"""What the processor runs; compiled with baseline flags, so it is safe to import anywhere."""

cdef extern from "losslib/system/cpu.h" namespace "losslib" nogil:
    bint runs_v3()
    bint runs_v4()
    const char* architecture()
    const char* compiler()


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
