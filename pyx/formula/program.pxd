"""A formula as ``loss.pyx`` and the interpreter see it: one more set of kernels, with a tape for each as parameters."""

from job cimport KernelSet

cdef enum:
    FIRST_INPUT = 7      # places: value and derivatives (the planes of a block), inputs, scale, constants, registers
    SCALE = 10
    NEGATED_SCALE = 11   # the scale with the other sign
    FIRST_CONSTANT = 12
    PLACES = 396         # at most: 12, 256 constants, 128 registers

cdef struct Step:
    int code             # which loop
    int operand[6]       # places: what it writes, then what it reads

cdef struct Tape:
    int count
    int constants
    int registers
    Step* steps
    double* float64      # the constants
    float* float32

cdef struct Formula:
    KernelSet set
    Tape* tape[6]        # VALUE_ONLY … ALL; NULL until it is first asked for
