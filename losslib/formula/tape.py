"""From a graph to a tape: a list of vector operations on registers, which ``pyx/formula`` runs block by block.

A register is a row of numbers of a block. Places are numbered: first what a kernel writes (value, then gradient and
Hessian of each input), its inputs and the scale of the derivatives, then the constants, then the registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from losslib.errors import FormulaError
from losslib.formula.expression import Graph

__all__ = ["MOST_REGISTERS", "Tape", "compile_tape"]

#: Places of the tape, as ``pyx/formula/driver.pyx`` has them.
FIRST_INPUT, SCALE, FIRST_CONSTANT = 7, 10, 11
MOST_REGISTERS = 128
MOST_CONSTANTS = 256

#: The choice by a comparison whose truth does nothing else, and by one of an absolute value that nothing else reads.
CHOICES = {"lt": "select_lt", "le": "select_le", "gt": "select_gt", "ge": "select_ge"}
CHOICES_BY_DISTANCE = {"lt": "select_within", "le": "select_at_most"}

#: Which operands of an operation may be a constant: forms by the letters v (a row) and s (a number).
FORMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("add", "mul", "max", "min", "power", "lt", "le", "gt", "ge", "eq", "ne", "signed"), ("vv", "vs")),
    "sub": ("vv", "sv"),
    "div": ("vv", "sv"),
    "and": ("vv",),
    "or": ("vv",),
    "select": ("vvv", "vvs", "vsv", "vss"),
    **dict.fromkeys(CHOICES.values(), ("vvvv", "vsvv", "vsvs", "vssv")),
    **dict.fromkeys(CHOICES_BY_DISTANCE.values(), ("vvvv", "vsvv", "vsvs", "vssv")),
    "product": ("vvv", "vvs"),
    "extreme": ("vvvv", "vvvs", "vsvv", "vsvs"),
    "multiply_add": ("vvv", "vsv", "vvs", "vss"),
    "multiply_subtract": ("vvv", "vsv", "vvs"),
    "subtract_product": ("vvv", "vsv", "vvs", "vss"),
}

#: What may write a derivative times its scale at once, by the operation that does both and its forms.
SCALED: dict[str, tuple[str, tuple[str, ...]]] = {
    **{name: (f"scaled_{name}", FORMS[name]) for name in (*CHOICES.values(), *CHOICES_BY_DISTANCE.values())},
    "mul": ("product", ("vv", "vs")),
    "sub": ("scaled_sub", ("vv",)),
}

#: Nanoseconds of an element in float32 (one thread, v3): they decide from which size threads pay.
COSTS = {
    "div": 0.15, "sqrt": 0.15, "sqrt1pm1": 0.3, "exp": 0.35, "expm1": 0.4, "log": 0.5, "log1p": 0.6,
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
class _Step:
    op: str
    args: tuple[int, ...]
    #: The nodes that it computes; None for a result that nobody reads.
    results: tuple[int | None, ...] = ()
    output: int | None = None  # the output that it scales


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

    def emit(self, step: _Step) -> None:
        values = self.graph.values
        forms = FORMS.get(step.op)
        form = "v" * len(step.args)
        if step.output is not None and step.op != "scale":
            name, forms = SCALED[step.op]
        if forms is not None:
            fitting = [form for form in forms if all(values[step.args[k]] is not None for k in _numbers_of(form))]
            form = max(fitting, key=lambda form: form.count("s"))
        borrowed = []
        places = []
        for arg, kind in zip(step.args, form, strict=True):
            if (value := values[arg]) is None:
                place = self.home[arg]
            else:
                place = self.constant(value)
                if kind == "v":
                    row = self.register()
                    self.steps.append(("fill", (row,), (place,)))
                    borrowed.append(row)
                    place = row
            places.append(place)
        written = []
        if step.output is not None:
            written.append(step.output)
            places.append(SCALE)
            if step.op == "scale":
                name = "mul_vs"
            else:  # the scale is one more number for a product, and beside its forms for the others
                name = f"product_{form}s" if step.op == "mul" else f"{SCALED[step.op][0]}_{form}"
        else:
            name = step.op if forms is None else f"{step.op}_{form}"
            for result in step.results:
                if result is None:  # a result that nobody reads has a row of its own
                    written.append(self.register())
                    borrowed.append(written[-1])
                    continue
                if result not in self.home:
                    self.home[result] = self.register()
                written.append(self.home[result])
        self.steps.append((name, tuple(written), tuple(places)))
        self.cost += COSTS.get(step.op, USUAL_COST)
        self.free += borrowed
        for arg in dict.fromkeys(step.args):
            if values[arg] is None:
                self.release(arg)


def _numbers_of(form: str) -> list[int]:
    """Return the operands that a form takes as numbers."""
    return [k for k, kind in enumerate(form) if kind == "s"]


def compile_tape(graph: Graph, outputs: Mapping[int, int]) -> Tape:
    """Return the tape that computes nodes; ``outputs`` maps places (0 is the value, which is not scaled) to nodes."""
    value = outputs.get(0)
    steps = _lowered(graph, outputs)
    emitter = _Emitter(graph)
    for step in steps:
        for arg in dict.fromkeys(step.args):
            emitter.uses[arg] = emitter.uses.get(arg, 0) + 1
    for node in emitter.uses:
        if graph.ops[node] == "input":
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


def _lowered(graph: Graph, outputs: Mapping[int, int]) -> list[_Step]:
    """Return the steps in the order of a walk from the outputs: what belongs together stands together."""
    ops, args, values = graph.ops, graph.args, graph.values
    needed = [node for node in graph.below(list(outputs.values())) if ops[node] not in ("constant", "input")]
    uses: dict[int, int] = {}
    for used in [*(arg for node in needed for arg in args[node]), *outputs.values()]:
        uses[used] = uses.get(used, 0) + 1
    groups = _groups(graph, needed)
    choosing: dict[int, int] = {}  # how often a node is the condition of a choice
    for node in needed:
        if ops[node] == "select":
            choosing[args[node][0]] = choosing.get(args[node][0], 0) + 1

    def step_of(node: int) -> _Step:
        op, below = ops[node], args[node]
        if node in groups:
            return groups[node]
        if op in ("add", "sub"):
            for k in (0, 1):
                product, other = below[k], below[1 - k]
                if ops[product] == "mul" and uses[product] == 1:
                    fused = "multiply_add" if op == "add" else ("multiply_subtract", "subtract_product")[k]
                    return _Step(fused, (*args[product], other), (node,))
        if op == "mul" and ops[below[0]] == "mul" and uses[below[0]] == 1:
            return _Step("product", (*args[below[0]], below[1]), (node,))
        if op == "select" and ops[below[0]] in CHOICES and choosing[below[0]] == uses[below[0]]:
            compared = ops[below[0]]
            first, second = args[below[0]]
            if ops[first] == "abs" and compared in CHOICES_BY_DISTANCE and uses[first] == 1:
                return _Step(CHOICES_BY_DISTANCE[compared], (args[first][0], second, *below[1:]), (node,))
            return _Step(CHOICES[compared], (first, second, *below[1:]), (node,))
        return _Step(op, below, (node,))

    steps: list[_Step] = []
    done: set[int] = set()
    made: dict[int, _Step] = {}
    for place, output in sorted(outputs.items()):
        waiting = [output]
        while waiting:
            node = waiting[-1]
            if node in done or values[node] is not None or ops[node] == "input":
                waiting.pop()
                continue
            step = made.get(node)
            if step is None:
                step = made[node] = step_of(node)
                waiting += [arg for arg in reversed(step.args) if arg not in done]
                continue
            waiting.pop()
            steps.append(step)
            done.update(result for result in step.results if result is not None)
        if place:
            last = steps[-1] if steps else None
            if last is not None and last.results == (output,) and uses[output] == 1 and last.op in SCALED:
                last.output = place
                last.results = ()
            else:
                steps.append(_Step("scale", (output,), output=place))
    return steps


def _groups(graph: Graph, needed: list[int]) -> dict[int, _Step]:
    """Find functions of one argument that share an exponential: they are computed together."""
    ops, args = graph.ops, graph.args
    logistic: dict[int, dict[int, int]] = {}
    hyperbolic: dict[int, dict[int, int]] = {}
    for node in needed:
        op = ops[node]
        if op in ("softplus", "sigmoid"):
            arg = args[node][0]
            negated = ops[arg] == "neg"
            base = args[arg][0] if negated else arg
            logistic.setdefault(base, {})[(2 if op == "sigmoid" else 0) + negated] = node
        elif op in ("log_cosh", "tanh"):
            hyperbolic.setdefault(args[node][0], {})[op == "tanh"] = node
    groups: dict[int, _Step] = {}
    for base, members in logistic.items():
        if len(members) > 1:
            if 0 in members or 1 in members:
                step = _Step("logistic", (base,), tuple(members.get(k) for k in range(4)))
            else:
                step = _Step("sigmoids", (base,), (members[2], members[3]))
            groups |= dict.fromkeys(members.values(), step)
    for base, members in hyperbolic.items():
        if len(members) > 1:
            groups |= dict.fromkeys(members.values(), _Step("log_cosh_tanh", (base,), (members[0], members[1])))
    return groups
