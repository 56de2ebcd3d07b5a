"""Derivatives of an expression for one of its inputs, as an expression.

Forward mode over the nodes in the order of evaluation. ``where`` chooses between derivatives as it chooses between
values. At kinks: 0 for ``abs`` at a tie and for ``sign`` everywhere, the mean of both for ``max`` and ``min``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from losslib.formula.expression import Graph

__all__ = ["derivative"]


def derivative(graph: Graph, output: int, position: int) -> int:
    """Return the node of the derivative of an output for the input at a position."""
    slope: dict[int, int] = {}
    for node in graph.below([output]):
        op = graph.ops[node]
        if op == "input":
            slope[node] = graph.one if graph.args[node] == (-1 - position,) else graph.zero
        else:
            args = graph.args[node]
            slopes = [slope[arg] for arg in args]
            slope[node] = (
                graph.zero if all(s == graph.zero for s in slopes) else _slope(graph, node, op, args, slopes, slope)
            )
    return slope[output]


def _slope(g: Graph, node: int, op: str, args: tuple[int, ...], slopes: list[int], slope: dict[int, int]) -> int:
    """Apply the rule of one operation, some of whose arguments move."""
    base, exponent = g.powers.get(node, (node, 1))
    if exponent > 1 and base in slope:  # constants that moved out of it may have left the base behind
        return g.mul(g.mul(g.power(base, g.constant(exponent - 1.0)), g.constant(float(exponent))), slope[base])
    match op:
        case "add":
            return g.add(*slopes)
        case "sub":
            return g.sub(*slopes)
        case "neg":
            return g.neg(slopes[0])
        case "mul":
            return g.add(g.mul(args[1], slopes[0]), g.mul(args[0], slopes[1]))
        case "div":
            moved = slopes[0] if slopes[1] == g.zero else g.sub(slopes[0], g.mul(slopes[1], node))
            return g.div(moved, args[1])
        case "power":
            return _slope_of_power(g, node, args, slopes)
        case "max":
            return g.extreme(*args, *slopes)
        case "min":
            return g.extreme(args[1], args[0], slopes[0], slopes[1])
        case "select":
            return g.select(args[0], slopes[1], slopes[2])
        case "extreme":
            return g.extreme(args[0], args[1], slopes[2], slopes[3])
        case "abs":
            return g.signed(args[0], slopes[0])
        case "signed":
            return g.signed(args[0], slopes[1])
        case "sqrt":
            return g.div(g.mul(slopes[0], g.constant(0.5)), node)
        case "sqrt1pm1":
            root = g.call("sqrt", g.add(args[0], g.one))
            return g.div(g.mul(slopes[0], g.constant(0.5)), root)
        case "log":
            return g.div(slopes[0], args[0])
        case "log1p":
            return g.div(slopes[0], g.add(args[0], g.one))
    if op in _RULES:
        return g.mul(_RULES[op](g, args[0], node), slopes[0])
    return g.zero  # sign, and truths: steps


def _slope_of_power(g: Graph, node: int, args: tuple[int, ...], slopes: list[int]) -> int:
    base, exponent = args
    below = g.power(base, g.add(exponent, g.constant(-1.0)))
    by_base = g.mul(g.mul(exponent, below), slopes[0])
    if slopes[1] == g.zero:
        return by_base
    if g.values[exponent] is None and slopes[0] != g.zero:
        # 0**0 is 1 and no infinity comes of it; a base that is not 0 has a slope that moves with the exponent
        at_zero = g.select(g.compare("eq", base, g.zero), g.zero, by_base)
        by_base = g.select(g.compare("eq", exponent, g.zero), at_zero, by_base)
    # 0**y is 0 for every y > 0: its logarithm, -inf, does not count
    by_exponent = g.select(g.compare("eq", node, g.zero), g.zero, g.mul(node, g.call("log", base)))
    return g.add(by_base, g.mul(by_exponent, slopes[1]))


def _secant_squared(g: Graph, a: int, node: int) -> int:
    """1 - tanh(a)**2 without cancellation."""
    twice = g.mul(a, g.constant(2.0))
    return g.mul(g.mul(g.call("sigmoid", twice), g.call("sigmoid", g.neg(twice))), g.constant(4.0))


#: The slope of a function of one argument: (graph, argument, the function's own node) -> node.
_RULES: dict[str, Callable[[Graph, int, int], int]] = {
    "exp": lambda g, a, node: node,
    "expm1": lambda g, a, node: g.call("exp", a),
    "tanh": _secant_squared,
    "cosh": lambda g, a, node: g.call("sinh", a),
    "sinh": lambda g, a, node: g.call("cosh", a),
    "sin": lambda g, a, node: g.call("cos", a),
    "cos": lambda g, a, node: g.neg(g.call("sin", a)),
    "sigmoid": lambda g, a, node: g.mul(node, g.call("sigmoid", g.neg(a))),
    "softplus": lambda g, a, node: g.call("sigmoid", a),
    "log_cosh": lambda g, a, node: g.call("tanh", a),
    "loggamma": lambda g, a, node: g.call("digamma", a),
    "digamma": lambda g, a, node: g.call("trigamma", a),
    "trigamma": lambda g, a, node: g.call("tetragamma", a),
    "erf": lambda g, a, node: g.mul(g.call("exp", g.neg(g.mul(a, a))), g.constant(2.0 / math.sqrt(math.pi))),
}
