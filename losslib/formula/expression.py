"""Expressions as a graph in which equal expressions are one node: folded, simplified, and kept in stable forms.

A node is a number, its place in the lists of the graph. What a node is made of exists before it, so that the numbers
are in the order of evaluation and every pass over a graph is a loop, never a recursion.

Two rules go beyond IEEE 754, and the derivatives live by them: a factor that is 0 by choice removes its term, whatever
the other factor (``where(c, u, 0)*v`` is ``where(c, u*v, 0)``, and a constant 0 times anything is 0), and forms that
lose digits are replaced by those that do not (`Graph.call`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from losslib.formula import folding

__all__ = ["COMPARISONS", "MOST_NODES", "Graph", "TooLargeError"]

#: Beyond this many nodes a formula with its derivatives is refused: a bound on time and memory, hardly on anybody.
MOST_NODES = 20_000

COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
_REVERSED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
_TRUTHS = {*COMPARISONS, "and", "or", "not"}
_EVEN = ("abs", "cosh", "log_cosh", "cos")
_ODD = ("sign", "tanh", "sinh", "sin", "erf")

#: The whole exponents that are written as products.
MOST_PRODUCTS = 64


class TooLargeError(Exception):
    """The graph has more nodes than `MOST_NODES`."""


class Graph:
    """The nodes of one formula: ``ops[k]`` is applied to the nodes ``args[k]``."""

    def __init__(self) -> None:
        self.ops: list[str] = []
        self.args: list[tuple[int, ...]] = []
        #: The value of a constant, None for every other node. Truth values are the constants 0 and 1.
        self.values: list[float | None] = []
        #: What products of equal factors are powers of: node -> (base, exponent).
        self.powers: dict[int, tuple[int, int]] = {}
        self._known: dict[tuple[object, ...], int] = {}
        self.zero = self.constant(0.0)
        self.one = self.constant(1.0)

    def _node(self, op: str, args: tuple[int, ...], value: float | None = None, key: object = None) -> int:
        known = (op, key) if value is not None else (op, *args)
        found = self._known.get(known)
        if found is None:
            found = len(self.ops)
            if found >= MOST_NODES:
                raise TooLargeError
            self.ops.append(op)
            self.args.append(args)
            self.values.append(value)
            self._known[known] = found
        return found

    # ---- leaves

    def constant(self, value: float) -> int:
        """Return the node of a number; -0.0 is another one than 0.0."""
        return self._node("constant", (), value, value.hex() if value == value else "nan")

    def input(self, position: int) -> int:
        """Return the node of an input."""
        return self._node("input", (-1 - position,))

    def is_truth(self, node: int) -> bool:
        """True for what a condition may be: a comparison, or truths put together."""
        return self.ops[node] in _TRUTHS

    def known(self, node: int) -> float | None:
        """Return the value of a constant, None for every other node."""
        return self.values[node]

    def decided(self, condition: int) -> None:
        """Both branches of a choice are read, so that a mistake in the one not taken is an error too."""

    # ---- arithmetic

    def add(self, a: int, b: int) -> int:
        ops, values = self.ops, self.values
        if values[a] is not None:
            a, b = b, a
        x, y = values[a], values[b]
        if y is not None:
            if x is not None:
                return self.constant(x + y)
            if y == 0.0:
                return a
            if y == -1.0:
                if ops[a] == "exp":
                    return self.call("expm1", self.args[a][0])
                if ops[a] == "sqrt":  # sqrt(u + 1) - 1 loses the digits of a small u
                    below = self.args[a][0]
                    if ops[below] == "add" and values[self.args[below][1]] == 1.0:
                        return self.call("sqrt1pm1", self.args[below][0])
            if ops[a] == "add" and (inner := values[self.args[a][1]]) is not None and inner + y == 0.0:
                return self.args[a][0]
            if ops[a] == "neg":
                return self.sub(b, self.args[a][0])
            return self._node("add", (a, b))
        if ops[b] == "neg":
            return self.sub(a, self.args[b][0])
        if ops[a] == "neg":
            return self.sub(b, self.args[a][0])
        if a == b:
            return self.mul(a, self.constant(2.0))
        return self._node("add", (a, b) if a < b else (b, a))

    def sub(self, a: int, b: int) -> int:
        x, y = self.values[a], self.values[b]
        if y is not None:
            return self.add(a, self.constant(-y))
        if x == 0.0:
            return self.neg(b)
        if x == 1.0:
            if self.ops[b] == "sigmoid":
                return self.call("sigmoid", self.neg(self.args[b][0]))
            if self.ops[b] == "exp":
                return self.neg(self.call("expm1", self.args[b][0]))
        if self.ops[b] == "neg":
            return self.add(a, self.args[b][0])
        if self.ops[a] == "neg":
            return self.neg(self.add(self.args[a][0], b))
        return self._node("sub", (a, b))

    def neg(self, a: int) -> int:
        op, args = self.ops[a], self.args[a]
        value = self.values[a]
        if value is not None:
            return self.constant(-value)
        if op == "neg":
            return args[0]
        if op == "sub":
            return self.sub(args[1], args[0])
        if op in ("mul", "add") and (number := self.values[args[1]]) is not None:
            if op == "mul":
                return self.mul(args[0], self.constant(-number))
            return self.sub(self.constant(-number), args[0])
        if op == "signed":
            return self.signed(args[0], self.neg(args[1]))
        return self._node("neg", (a,))

    def mul(self, a: int, b: int) -> int:
        ops, values = self.ops, self.values
        if values[a] is not None:
            a, b = b, a
        x, y = values[a], values[b]
        if y is not None:
            if x is not None:
                return self.constant(0.0 if x == 0.0 or y == 0.0 else x * y)
            if y == 0.0:
                return self.zero
            if y == 1.0:
                return a
            op, args = ops[a], self.args[a]
            if op == "neg":
                return self.mul(args[0], self.constant(-y))
            if op == "mul" and (inner := values[args[1]]) is not None and _is_usual(inner * y):
                return self.mul(args[0], self.constant(inner * y))
            if op == "div" and (inner := values[args[0]]) is not None and _is_usual(inner * y):
                return self.div(self.constant(inner * y), args[1])
            if y == -1.0:
                return self.neg(a)
        for u, v in ((a, b), (b, a)):
            op, args = ops[u], self.args[u]
            if op == "sign":
                return self.signed(args[0], v)
            if op == "signed":
                return self.signed(args[0], self.mul(args[1], v))
            if op == "select" and self.zero in args[1:]:
                return self.select(args[0], self.mul(args[1], v), self.mul(args[2], v))
            if op == "extreme" and self.zero in args[2:]:
                return self.extreme(args[0], args[1], self.mul(args[2], v), self.mul(args[3], v))
            if op == "neg":
                return self.neg(self.mul(args[0], v))
        if y is not None:
            return self._node("mul", (a, b))
        for u, v in ((a, b), (b, a)):  # constants outwards, where they meet
            op, args = ops[u], self.args[u]
            if op == "mul" and values[args[1]] is not None:
                return self.mul(self.mul(args[0], v), args[1])
        return self._node("mul", (a, b) if a < b else (b, a))

    def div(self, a: int, b: int) -> int:
        x, y = self.values[a], self.values[b]
        op, args = self.ops[a], self.args[a]
        if y is not None:
            if x is not None:
                return self.constant(folding.divide(x, y))
            if _is_usual(y) and _is_usual(1.0 / y):
                return self.mul(a, self.constant(1.0 / y))
        if x == 0.0:
            return self.zero
        if op == "neg":
            return self.neg(self.div(args[0], b))
        if op == "sign":
            return self.signed(args[0], self.div(self.one, b))
        if op == "signed":
            return self.signed(args[0], self.div(args[1], b))
        if op == "select" and self.zero in args[1:]:
            return self.select(args[0], self.div(args[1], b), self.div(args[2], b))
        if op == "extreme" and self.zero in args[2:]:
            return self.extreme(args[0], args[1], self.div(args[2], b), self.div(args[3], b))
        if self.ops[b] == "neg":
            return self.neg(self.div(a, self.args[b][0]))
        if op == "mul" and (factor := self.values[args[1]]) is not None and 1e-3 <= abs(factor) <= 1e3:
            return self.mul(self.div(args[0], b), args[1])  # to where it meets other constants
        return self._node("div", (a, b))

    def power(self, a: int, b: int) -> int:
        x, y = self.values[a], self.values[b]
        if y is not None:
            if x is not None:
                return self.constant(folding.power(x, y))
            if math.isfinite(y) and y == int(y):
                n = int(y)
                if abs(n) <= MOST_PRODUCTS:
                    product = self._product(a, abs(n))
                    return product if n >= 0 else self.div(self.one, product)
                size = self._node("power", (self.call("abs", a), b))
                return size if n % 2 == 0 else self.signed(a, size)
            if y == 0.5:
                return self.call("sqrt", a)
            if y == -0.5:
                return self.div(self.one, self.call("sqrt", a))
        return self._node("power", (a, b))

    def _product(self, a: int, n: int) -> int:
        result, square, exponent = self.one, a, n
        while n:
            if n & 1:
                result = self.mul(result, square)
            n >>= 1
            if n:
                square = self.mul(square, square)
        if exponent > 1:
            self.powers[result] = (a, exponent)
        return result

    # ---- functions

    def call(self, name: str, *args: int) -> int:
        """Apply a function; forms that lose digits, such as ``log(1 - sigmoid(u))``, become those that do not."""
        a = args[0]
        if name in ("max", "min"):
            return self._extremum(name, *args)
        value = self.values[a]
        if value is not None:
            return self.constant(folding.FUNCTIONS[name](value))
        op, below = self.ops[a], self.args[a]
        if op == "neg":
            if name in _EVEN:
                return self.call(name, below[0])
            if name in _ODD:
                return self.neg(self.call(name, below[0]))
        if name == "log":
            if op == "exp":
                return below[0]
            if op == "sigmoid":
                return self.neg(self.call("softplus", self.neg(below[0])))
            if op == "cosh":
                return self.call("log_cosh", below[0])
            if op == "add" and self.values[below[1]] == 1.0:
                return self.call("log1p", below[0])
            if op == "sub" and self.values[below[0]] == 1.0:
                return self.call("log1p", self.neg(below[1]))
        if name == "log1p":
            if op == "exp":
                return self.call("softplus", below[0])
            if op == "neg" and self.ops[below[0]] == "sigmoid":
                return self.neg(self.call("softplus", self.args[below[0]][0]))
        if name == "abs" and op in ("abs", "exp", "sqrt", "sigmoid", "softplus"):
            return a
        return self._node(name, (a,))

    def _extremum(self, name: str, a: int, b: int) -> int:
        if self.values[a] is not None:
            a, b = b, a
        x, y = self.values[a], self.values[b]
        if x is not None and y is not None:
            return self.constant(folding.extremum(name, x, y))
        if a == b:
            return a
        return self._node(name, (a, b) if y is not None or a < b else (b, a))

    def signed(self, a: int, u: int) -> int:
        """Return u with the sign of a as a factor: 0 where a is 0, whatever u is."""
        value, factor = self.values[a], self.values[u]
        if value is not None:
            return self.zero if value == 0.0 else self.mul(u, self.constant(folding.FUNCTIONS["sign"](value)))
        if factor == 0.0:
            return self.zero
        if factor == 1.0:
            return self.call("sign", a)
        op, args = self.ops[u], self.args[u]
        if op in ("signed", "sign") and args[0] == a:  # the square of the sign
            inner = args[1] if op == "signed" else self.one
            return self.select(self.compare("eq", a, self.zero), self.zero, inner)
        return self._node("signed", (a, u))

    def extreme(self, a: int, b: int, u: int, v: int) -> int:
        """Return u where a > b, v where a < b, their mean where a = b: the derivative of a maximum."""
        if u == v:
            return u
        if self.values[a] is not None:
            a, b, u, v = b, a, v, u
        x, y = self.values[a], self.values[b]
        if x is not None and y is not None:
            mean = self.mul(self.add(u, v), self.constant(0.5))
            return u if x > y else v if x < y else mean if x == y else self.constant(math.nan)
        return self._node("extreme", (a, b, u, v))

    # ---- truths and choices

    def compare(self, op: str, a: int, b: int) -> int:
        x, y = self.values[a], self.values[b]
        if x is not None and y is not None:
            return self.truth(folding.COMPARISONS[op](x, y))
        if x is not None:
            return self._node(_REVERSED[op], (b, a))
        return self._node(op, (a, b))

    def truth(self, value: bool) -> int:
        return self.one if value else self.zero

    def both(self, a: int, b: int) -> int:
        if self.values[a] is not None:
            a, b = b, a
        if self.values[b] is not None:
            return a if self.values[b] else self.zero
        return a if a == b else self._node("and", (a, b) if a < b else (b, a))

    def either(self, a: int, b: int) -> int:
        if self.values[a] is not None:
            a, b = b, a
        if self.values[b] is not None:
            return self.one if self.values[b] else a
        return a if a == b else self._node("or", (a, b) if a < b else (b, a))

    def no(self, a: int) -> int:
        if self.values[a] is not None:
            return self.truth(not self.values[a])
        return self.args[a][0] if self.ops[a] == "not" else self._node("not", (a,))

    def select(self, condition: int, u: int, v: int) -> int:
        """Return u where the condition holds, else v; what is not chosen has no say."""
        value = self.values[condition]
        if value is not None:
            return u if value else v
        if self.ops[condition] == "not":
            condition, u, v = self.args[condition][0], v, u
        if self.ops[u] == "select" and self.args[u][0] == condition:
            u = self.args[u][1]
        if self.ops[v] == "select" and self.args[v][0] == condition:
            v = self.args[v][2]
        return u if u == v else self._node("select", (condition, u, v))

    # ---- looking at it

    def below(self, outputs: Sequence[int]) -> list[int]:
        """Return what the outputs are computed from, themselves included, in the order of evaluation."""
        seen = set(outputs)
        waiting = list(seen)
        while waiting:
            node = waiting.pop()
            if self.ops[node] != "input":
                for arg in self.args[node]:
                    if arg not in seen:
                        seen.add(arg)
                        waiting.append(arg)
        return sorted(seen)


def _is_usual(value: float) -> bool:
    """True for numbers that float32 holds with all its digits, far from its ends."""
    return 1e-30 < abs(value) < 1e30
