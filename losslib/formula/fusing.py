"""Which nodes of a graph one operation computes, and in which order the operations run.

What an operation costs is mostly its row: to write 512 numbers takes as long as two multiplications of them. So a node
that one other reads becomes part of that one where the interpreter has an operation for both, and constant factors and
terms go into functions, which hide them behind their own arithmetic.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from losslib.formula.expression import Graph

__all__ = ["AFFINE", "NEGATED_SCALE", "SCALE", "Step", "fused"]

#: Among the arguments of a step: the number that all derivatives are multiplied by, and the same with the other sign.
SCALE, NEGATED_SCALE = -1, -2

#: Functions f that are computed as f(a*s)*p + q.
AFFINE = frozenset({"abs", "sqrt", "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus"})

#: The choice by a comparison whose truth does nothing else, and by one of an absolute value.
CHOICES = {"lt": "select_lt", "le": "select_le", "gt": "select_gt", "ge": "select_ge"}
CHOICES_BY_DISTANCE = {"lt": "select_within", "le": "select_at_most"}

#: Operations that a row may multiply at once, and those that a number may.
TIMES_ROW = frozenset({"add", "sub", "max", "min"})
TIMES_NUMBER = TIMES_ROW | {
    "signed", "extreme", "clamp", "multiply_add", "multiply_subtract", "subtract_product", "sum_of_products",
    "difference_of_products", *CHOICES.values(), *CHOICES_BY_DISTANCE.values(),
}  # fmt: skip


@dataclass
class Step:
    """One operation on nodes; what is not among the nodes is `SCALE` or `NEGATED_SCALE`."""

    op: str
    args: tuple[int, ...]
    #: The nodes that it computes; None for a result that nobody reads.
    results: tuple[int | None, ...] = ()
    #: Where a derivative times its scale is written, if that is what the operation computes.
    output: int | None = None


def fused(graph: Graph, outputs: Mapping[int, int]) -> list[Step]:
    """Return the steps in the order of a walk from the outputs: what belongs together stands together."""
    return _Fusion(graph, outputs).steps(outputs)


class _Fusion:
    def __init__(self, graph: Graph, outputs: Mapping[int, int]) -> None:
        self.graph = graph
        self.ops, self.args, self.values = graph.ops, graph.args, graph.values
        #: What is added where nothing is: x + -0.0 is x for every x, zeros with their signs included.
        self.nothing = graph.constant(-0.0)
        needed = [n for n in graph.below(list(outputs.values())) if self.ops[n] not in ("constant", "input")]
        self.choosing = self._choosing(needed, outputs.values())
        self.uses: dict[int, int] = {}
        for node in needed:
            for arg in self._read_by(node):
                self.uses[arg] = self.uses.get(arg, 0) + 1
        for node in outputs.values():
            self.uses[node] = self.uses.get(node, 0) + 1
        self.groups = _groups(graph, needed)

    def _choosing(self, needed: list[int], outputs: Collection[int]) -> set[int]:
        """Return the comparisons whose truth does nothing but choose: they are part of the choices."""
        choosing, other = set(), set(outputs)
        for node in needed:
            args = self.args[node]
            if self.ops[node] == "select" and self.ops[args[0]] in CHOICES:
                choosing.add(args[0])
                args = args[1:]
            other.update(args)
        return choosing - other

    def _read_by(self, node: int) -> tuple[int, ...]:
        args = self.args[node]
        if node in self.choosing and self._is_distance(node):
            return self.args[args[0]][0], args[1]
        return args

    def _is_distance(self, comparison: int) -> bool:
        return self.ops[comparison] in CHOICES_BY_DISTANCE and self.ops[self.args[comparison][0]] == "abs"

    # ---- the walk

    def steps(self, outputs: Mapping[int, int]) -> list[Step]:
        steps: list[Step] = []
        done: set[int] = set()
        made: dict[int, Step] = {}

        def walk(first: Step | int) -> None:
            """Append a step with all that it needs, or what a node needs."""
            waiting: list[Step | int] = [first]
            while waiting:
                item = waiting[-1]
                if isinstance(item, int):
                    if item in done or self._is_number(item) or self.ops[item] == "input":
                        waiting.pop()
                        continue
                    if item not in made:
                        made[item] = self.step(item)
                    step = made[item]
                else:
                    step = item
                missing = [arg for arg in reversed(step.args) if not self._is_there(arg, done)]
                if missing:
                    waiting += missing
                    continue
                waiting.pop()
                steps.append(step)
                done.update(result for result in step.results if result is not None)

        for place, output in sorted(outputs.items()):
            if place == 0:
                walk(output)
                continue
            scaled = None
            if self.uses[output] == 1 and self.values[output] is None:
                scaled = self.times(output, SCALE)
            if scaled is None and self.ops[output] == "neg":
                scaled = Step("mul", (self.args[output][0], NEGATED_SCALE))
            scaled = scaled or Step("mul", (output, SCALE))
            scaled.output = place
            walk(scaled)
        return steps

    def _is_number(self, node: int) -> bool:
        return node < 0 or self.values[node] is not None

    def _is_there(self, node: int, done: set[int]) -> bool:
        return self._is_number(node) or node in done or self.ops[node] == "input"

    def _single(self, node: int) -> bool:
        """True for a node that may be part of the one that reads it."""
        return node >= 0 and self.values[node] is None and self.uses.get(node) == 1 and node not in self.groups

    def _is(self, op: str, node: int) -> bool:
        return self._single(node) and self.ops[node] == op

    # ---- one node

    def step(self, node: int) -> Step:
        """Return the operation that computes a node, with as many of those below as it can take."""
        if node in self.groups:
            return self.groups[node]
        step = self._step(self.ops[node], self.args[node])
        step.results = (node,)
        return step

    def _step(self, op: str, args: tuple[int, ...]) -> Step:
        if op == "mul":
            for factor, other in (args, args[::-1]):
                if self._single(factor) and (step := self.times(factor, other)) is not None:
                    return step
        elif op in ("add", "sub"):
            return self._sum(op, *args)
        elif op == "div":
            if self._is_sum_with_number(args[1]):
                return self._ratio(args, self.graph.one)
        elif op == "neg":
            if self._single(args[0]) and self.ops[args[0]] in AFFINE:
                return self._function(self.ops[args[0]], self.args[args[0]][0], self.graph.constant(-1.0), self.nothing)
        elif op == "select":
            return self._choice(args)
        elif op == "min" and self._is("max", args[0]):
            low, high = self.args[args[0]][1], args[1]
            if self._is_number(low) and self._is_number(high) and self._value(low) <= self._value(high):
                return Step("clamp", (self.args[args[0]][0], low, high))
        elif op in AFFINE and self._factor(args[0])[1] != self.graph.one:
            return self._function(op, args[0], self.graph.one, self.nothing)
        return Step(op, args)

    def _value(self, node: int) -> float:
        value = self.values[node]
        assert value is not None
        return value

    def times(self, node: int, factor: int) -> Step | None:
        """Return the operation that computes a node times a factor, a row or a number, if there is one."""
        op, args = self.ops[node], self.args[node]
        if node in self.groups:
            return None
        by_number = self._is_number(factor)
        if op == "neg":
            return self.times(args[0], NEGATED_SCALE) if factor == SCALE and self._single(args[0]) else None
        if op == "mul":
            if by_number and self._is_number(args[1]) and self._is("div", args[0]):
                return self._ratio(self.args[args[0]], args[1], factor)
            return Step("product", (*args, factor))
        if op == "div":
            if by_number or not self._is_number(args[0]):
                return self._ratio(args, factor)
            return self._ratio((factor, args[1]), args[0])
        if not by_number:
            return Step(f"scaled_{op}", (*args, factor)) if op in TIMES_ROW else None
        if op == "sign":
            return Step("signed", (*args, factor))
        if op in AFFINE:
            return self._function(op, args[0], factor, self.nothing)
        step = self._step(op, args)
        if step.op.endswith("_product") and step.op.startswith("select"):
            # what is not chosen is 0, or the choice and the product by the number are operations of their own
            return Step(f"scaled_{step.op}", (*step.args[:-1], factor)) if self.values[step.args[-1]] == 0.0 else None
        return Step(f"scaled_{step.op}", (*step.args, factor)) if step.op in TIMES_NUMBER else None

    # ---- sums, quotients, functions

    def _sum(self, op: str, first: int, second: int) -> Step:
        if self._is_number(second) or self._is_number(first):
            return self._sum_with_number(op, first, second)
        is_product = [self._is("mul", first), self._is("mul", second)]
        if all(is_product):
            name = "sum_of_products" if op == "add" else "difference_of_products"
            left, right = self.args[first], self.args[second]
            if op == "add" and self._is_number(left[1]) and not self._is_number(right[1]):
                left, right = right, left
            return Step(name, (*left, *right))
        for k, (product, other) in enumerate(((first, second), (second, first))):
            if is_product[k]:
                name = "multiply_add" if op == "add" else ("multiply_subtract", "subtract_product")[k]
                return Step(name, (*self.args[product], other))
        return Step(op, (first, second))

    def _sum_with_number(self, op: str, first: int, second: int) -> Step:
        """Compute a row plus a number, or a number minus a row: with the product or the function that the row is."""
        number, row = (first, second) if op == "sub" else (second, first)
        sign = -1.0 if op == "sub" else 1.0
        core, factor = row, self.graph.constant(sign)
        if self._is("mul", row) and self._is_number(self.args[row][1]):
            core, factor = self.args[row][0], self.graph.constant(sign * self._value(self.args[row][1]))
        if self._single(core) and self.ops[core] in AFFINE:
            return self._function(self.ops[core], self.args[core][0], factor, number)
        if core != row and self._is("mul", core):
            return Step("product_add", (*self.args[core], factor, number))
        if self._is("mul", row):
            return Step("multiply_add" if op == "add" else "subtract_product", (*self.args[row], number))
        return Step(op, (first, second))

    def _is_sum_with_number(self, node: int) -> bool:
        return self._is("add", node) and self._is_number(self.args[node][1])

    def _ratio(self, args: tuple[int, ...], factor: int, scale: int | None = None) -> Step:
        """Compute a/(b + c)*d, with the scale of a derivative if that is one more number."""
        top, bottom = args
        term = self.nothing
        if self._is_sum_with_number(bottom):
            bottom, term = self.args[bottom]
        if scale is None:
            return Step("ratio", (top, bottom, term, factor))
        return Step("scaled_ratio", (top, bottom, term, factor, scale))

    def _function(self, op: str, arg: int, factor: int, term: int) -> Step:
        """Compute f(a*s)*p + q for the factor p and the term q."""
        return Step(f"affine_{op}", (*self._factor(arg), factor, term))

    def _factor(self, node: int) -> tuple[int, int]:
        """Return a node and a number whose product the given node is."""
        if self._is("neg", node):
            return self.args[node][0], self.graph.constant(-1.0)
        if self._is("mul", node) and self._is_number(self.args[node][1]):
            return self.args[node][0], self.args[node][1]
        return node, self.graph.one

    # ---- choices

    def _choice(self, args: tuple[int, ...]) -> Step:
        condition, first, second = args
        if condition not in self.choosing:
            return Step("select", args)
        compared, limit = self.args[condition]
        name = CHOICES[self.ops[condition]]
        if self._is_distance(condition):
            name = CHOICES_BY_DISTANCE[self.ops[condition]]
            compared = self.args[compared][0]
            if first == compared and self._is_signed(second, compared, limit):
                return Step("clamp", (compared, self.graph.constant(-self._value(limit)), limit))
        if self._is_number(limit) and self._is_number(second) and self._is("mul", first):
            return Step(f"{name}_product", (compared, limit, *self.args[first], second))
        return Step(name, (compared, limit, first, second))

    def _is_signed(self, node: int, row: int, size: int) -> bool:
        """True for the positive number `size` with the sign of a row."""
        value = self.values[size]
        if value is None or value <= 0.0:
            return False
        return (self.ops[node], self.args[node]) == (("sign", (row,)) if value == 1.0 else ("signed", (row, size)))


def _groups(graph: Graph, needed: list[int]) -> dict[int, Step]:
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
    groups: dict[int, Step] = {}
    for base, members in logistic.items():
        if len(members) > 1:
            if 0 in members or 1 in members:
                step = Step("logistic", (base,), tuple(members.get(k) for k in range(4)))
            else:
                step = Step("sigmoids", (base,), (members[2], members[3]))
            groups |= dict.fromkeys(members.values(), step)
    for base, members in hyperbolic.items():
        if len(members) > 1:
            groups |= dict.fromkeys(members.values(), Step("log_cosh_tanh", (base,), (members[0], members[1])))
    return groups
