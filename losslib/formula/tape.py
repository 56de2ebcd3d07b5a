"""From a graph to a tape: a list of vector operations on registers, which ``pyx/formula`` runs block by block.

A register is a row of numbers of a block. Places are numbered: first what a kernel writes (value, then gradient and
Hessian of each input), its inputs and the scale of the derivatives with both signs, then the constants, then the
registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from losslib.errors import FormulaError
from losslib.formula.expression import Graph
from losslib.formula.fusing import AFFINE, CHOICES, CHOICES_BY_DISTANCE, NEGATED_SCALE, SCALE, Step, fused

__all__ = ["MOST_REGISTERS", "Tape", "compile_tape"]

#: Places of the tape, as ``pyx/formula/driver.pyx`` has them.
FIRST_INPUT, FIRST_CONSTANT = 7, 12
NUMBERS = {SCALE: 10, NEGATED_SCALE: 11}
MOST_REGISTERS = 128
MOST_CONSTANTS = 256

_CHOICES = (*CHOICES.values(), *CHOICES_BY_DISTANCE.values())

#: Which operands of an operation may be a constant: forms by the letters v (a row) and s (a number).
FORMS: dict[str, tuple[str, ...]] = {
    "mul": ("vv", "vs", "ss"),
    **dict.fromkeys(("add", "max", "min", "power", "lt", "le", "gt", "ge", "eq", "ne", "signed"), ("vv", "vs")),
    "sub": ("vv", "sv"),
    "div": ("vv", "sv"),
    "and": ("vv",),
    "or": ("vv",),
    "select": ("vvv", "vvs", "vsv", "vss"),
    "clamp": ("vss",),
    "product": ("vvv", "vvs", "vss"),
    "product_add": ("vvss",),
    "multiply_add": ("vvv", "vsv", "vvs", "vss"),
    "multiply_subtract": ("vvv", "vsv"),
    "subtract_product": ("vvv", "vsv", "vvs", "vss"),
    "sum_of_products": ("vvvv", "vvvs", "vsvs"),
    "difference_of_products": ("vvvv", "vvvs", "vsvv", "vsvs"),
    "ratio": ("vvss", "vvsv", "svss"),
    "extreme": ("vvvv", "vvvs", "vvsv", "vsvs", "vssv", "vsss"),  # a number does not move
    **dict.fromkeys(_CHOICES, ("vvvv", "vsvv", "vsvs", "vssv", "vsss")),
    **{f"{name}_product": ("vsvvs", "vsvss") for name in _CHOICES},
    **{f"affine_{name}": ("vsss",) for name in AFFINE},
    # the same times one more operand, the last: a row, or a number such as the scale of the derivatives
    **dict.fromkeys(("scaled_add", "scaled_max", "scaled_min"), ("vvv", "vsv", "vvs", "vss")),
    "scaled_sub": ("vvv", "svv", "vvs", "svs"),
    "scaled_signed": ("vvs", "vss"),
    "scaled_clamp": ("vsss",),
    "scaled_multiply_add": ("vvvs", "vsvs", "vvss", "vsss"),
    "scaled_multiply_subtract": ("vvvs", "vsvs"),
    "scaled_subtract_product": ("vvvs", "vsvs", "vvss", "vsss"),
    "scaled_sum_of_products": ("vvvvs", "vvvss", "vsvss"),
    "scaled_difference_of_products": ("vvvvs", "vvvss", "vsvvs", "vsvss"),
    "scaled_ratio": ("vvsss",),
    "scaled_extreme": ("vvvvs", "vvvss", "vvsvs", "vsvss", "vssvs", "vssss"),
    **{f"scaled_{name}": ("vvvvs", "vsvvs", "vsvss", "vssvs", "vssss") for name in _CHOICES},
    **{f"scaled_{name}_product": ("vsvvs", "vsvss") for name in _CHOICES},
}

#: Nanoseconds of an element in float32 (one thread, v3): they decide from which size threads pay.
COSTS = {
    "div": 0.15, "ratio": 0.15, "sqrt": 0.15, "sqrt1pm1": 0.3, "exp": 0.35, "expm1": 0.4, "log": 0.5, "log1p": 0.6,
    "tanh": 0.5, "cosh": 0.6, "sinh": 0.9,
    "sigmoid": 0.5, "softplus": 0.7, "log_cosh": 0.9, "power": 2.5, "sin": 1.5, "cos": 1.5, "erf": 2.0, "loggamma": 3.0,
    "digamma": 4.0, "trigamma": 4.0, "tetragamma": 4.0, "logistic": 0.9, "sigmoids": 0.6, "log_cosh_tanh": 1.0,
}  # fmt: skip
USUAL_COST = 0.07


@dataclass(frozen=True)
class Tape:
    """The operations (name with its form, places written, places read), the constants and the number of registers."""

    steps: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    constants: tuple[float, ...]
    registers: int
    cost: float


@dataclass
class _Emitter:
    """Hands out registers; one that is read for the last time is free after the step, never during it."""

    graph: Graph
    home: dict[int, int] = field(default_factory=dict)
    uses: dict[int, int] = field(default_factory=dict)
    free: list[int] = field(default_factory=list)
    registers: int = 0
    constants: dict[str, int] = field(default_factory=dict)
    numbers: list[float] = field(default_factory=list)
    steps: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    cost: float = 0.0

    def register(self) -> int:
        """Return a register, counted from -1 downwards until the number of constants is known."""
        if self.free:
            return self.free.pop()
        self.registers += 1
        if self.registers > MOST_REGISTERS:
            raise FormulaError(f"the formula keeps more than {MOST_REGISTERS} intermediate results at a time")
        return -self.registers

    def constant(self, value: float) -> int:
        place = self.constants.get(value.hex())
        if place is None:
            place = self.constants[value.hex()] = FIRST_CONSTANT + len(self.numbers)
            self.numbers.append(value)
            if len(self.numbers) > MOST_CONSTANTS:
                raise FormulaError(f"the formula has more than {MOST_CONSTANTS} constants")
        return place

    def release(self, node: int) -> None:
        """Count one use of a node; after the last its register is free."""
        self.uses[node] -= 1
        if self.uses[node] == 0 and (place := self.home.get(node, 0)) < 0:
            self.free.append(place)

    def number(self, arg: int) -> int | None:
        """Return the place of an argument that is a number, None for a row."""
        if arg < 0:
            return NUMBERS[arg]
        value = self.graph.values[arg]
        return None if value is None else self.constant(value)

    def emit(self, step: Step) -> None:
        forms = FORMS.get(step.op)
        name = step.op
        form = "v" * len(step.args)
        if forms is not None:
            is_row = [arg >= 0 and self.graph.values[arg] is None for arg in step.args]
            fitting = [form for form in forms if not any(is_row[k] for k in _numbers_of(form))]
            form = max(fitting, key=lambda form: form.count("s"))
            name = f"{name}_{form}"
        borrowed = []
        places = []
        for arg, kind in zip(step.args, form, strict=True):
            place = self.number(arg)
            if place is None:
                place = self.home[arg]
            elif kind == "v":
                row = self.register()
                self.steps.append(("fill", (row,), (place,)))
                borrowed.append(row)
                place = row
            places.append(place)
        written = [] if step.output is None else [step.output]
        for result in step.results:
            if result is None:  # a result that nobody reads has a row of its own
                written.append(self.register())
                borrowed.append(written[-1])
                continue
            if result not in self.home:
                self.home[result] = self.register()
            written.append(self.home[result])
        self.steps.append((name, tuple(written), tuple(places)))
        self.cost += COSTS.get(step.op.removeprefix("scaled_").removeprefix("affine_"), USUAL_COST)
        self.free += borrowed
        for arg in dict.fromkeys(step.args):
            if arg >= 0 and self.graph.values[arg] is None:
                self.release(arg)


def _numbers_of(form: str) -> list[int]:
    """Return the operands that a form takes as numbers."""
    return [k for k, kind in enumerate(form) if kind == "s"]


def compile_tape(graph: Graph, outputs: Mapping[int, int]) -> Tape:
    """Return the tape that computes nodes; ``outputs`` maps places (0 is the value, which is not scaled) to nodes."""
    value = outputs.get(0)
    steps = fused(graph, outputs)
    emitter = _Emitter(graph)
    for step in steps:
        for arg in dict.fromkeys(step.args):
            emitter.uses[arg] = emitter.uses.get(arg, 0) + 1
    for node in emitter.uses:
        if node >= 0 and graph.ops[node] == "input":
            emitter.home[node] = FIRST_INPUT - 1 - graph.args[node][0]
    copied = value is not None and graph.ops[value] in ("constant", "input")
    if value is not None and not copied:
        emitter.home[value] = 0
    for step in steps:
        emitter.emit(step)
    if value is not None and copied:
        number = graph.values[value]
        if number is None:
            emitter.steps.append(("copy", (0,), (FIRST_INPUT - 1 - graph.args[value][0],)))
        else:
            emitter.steps.append(("fill", (0,), (emitter.constant(number),)))
    first = FIRST_CONSTANT + len(emitter.numbers)

    def placed(places: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(first - 1 - place if place < 0 else place for place in places)

    listed = tuple((name, placed(written), placed(read)) for name, written, read in emitter.steps)
    return Tape(listed, tuple(emitter.numbers), emitter.registers, 0.05 + emitter.cost)
