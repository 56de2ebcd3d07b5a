"""Formulas of rows: the language with indices.

``x_c`` is the entry of the row ``x`` at the index ``c`` that an enclosing ``sum_c`` or ``max_c`` runs over, ``x_t`` the
entry at the class ``t``, and ``weight[t]`` is another way to write it. Inside ``lse(x)``, ``norm(x1 - x2)`` and
``cos(u, v)`` a row stands for its entries, one after the other.

Letters and functions have definitions beside the loss: ``p`` may be a text over ``c``; ``d(u, v)`` a function, of rows
or of numbers; and an equation in which a letter stands itself, such as ``sum_c(max(x_c - tau, 0)) == 1`` for ``tau``,
makes it the number that solves it.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from losslib.declaration.letters import function_of_key, is_equation, is_indexed
from losslib.errors import FormulaError
from losslib.formula import language
from losslib.formula.reader import Arithmetic, Reader

__all__ = ["OVER", "TARGETS_INDEX", "Row", "RowReader"]

N = TypeVar("N")

#: A sum or a maximum over an index.
OVER = re.compile(r"(sum|max)_([a-z])")

#: The index that runs over the classes of the target, where a target is a list of them.
TARGETS_INDEX = "j"


@dataclass(frozen=True)
class Row(Generic[N]):
    """One row of a batch with its parameters: what the names of a formula stand for."""

    rows: Mapping[str, Sequence[N]]
    numbers: Mapping[str, N]
    #: The names of numbers that are places in a row, such as the class of the target.
    places: Mapping[str, int] = field(default_factory=dict)
    #: The classes of a target that is a list of them.
    targets: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.rows.values())))


@dataclass(frozen=True)
class _Scope:
    """Where a part of a formula is read: the indices, the place of whole rows, the arguments of a function."""

    indices: Mapping[str, int] = field(default_factory=dict)
    place: int | None = None
    arguments: Mapping[str, _Argument] = field(default_factory=dict)


@dataclass(frozen=True)
class _Argument:
    """What a function was given: a text that is read in the scope of the call, once for each place of a row."""

    tree: ast.expr
    scope: _Scope
    found: dict[int | None, Any] = field(default_factory=dict)


class RowReader(Reader[N]):
    """Reads formulas of a row; ``solve`` returns the zero of a falling function, for letters defined by an equation."""

    def __init__(
        self,
        arithmetic: Arithmetic[N],
        row: Row[N],
        definitions: Mapping[str, str] | None = None,
        solve: Callable[[Callable[[N], N], Sequence[N]], N] | None = None,
    ) -> None:
        numbers = {name: arithmetic.constant(place) for name, place in row.places.items()} | dict(row.numbers)
        super().__init__(arithmetic, {**numbers, "C": arithmetic.constant(len(row))})
        self.row = row
        self.solve = solve
        self.definitions: dict[str, str] = {}
        self.functions: dict[str, tuple[tuple[str, ...], str]] = {}
        for key, text in (definitions or {}).items():
            function = function_of_key(key)
            if function is None:
                self.definitions[key] = text
            else:
                self.functions[function[0]] = function[1], text
        self._scope = _Scope()
        self._found: dict[tuple[str, int | None], N] = {}

    def value(self, text: str, indices: Mapping[str, int] | None = None) -> N:
        """Return the value of a formula at places of its free indices."""
        with self._in(_Scope(dict(indices or {}))):
            return self.read(text, language.tree_of(text))

    @contextmanager
    def _in(self, scope: _Scope) -> Iterator[None]:
        before = self._scope, self._text
        self._scope = scope
        try:
            yield
        finally:
            self._scope, self._text = before

    # ---- names

    def _read(self, tree: ast.expr, depth: int) -> N:
        match tree:
            case ast.Subscript(value=ast.Name(id=base), slice=ast.Name(id=index)):
                return self._name(f"{base}_{index}", tree)
        return super()._read(tree, depth)

    def _name(self, name: str, tree: ast.expr) -> N:
        """Look up an index, an argument, a number, an entry of a row, a definition, in this order."""
        scope, row = self._scope, self.row
        if name in scope.indices:
            return self.arithmetic.constant(scope.indices[name])
        if name in scope.arguments:
            return self._argument(name, scope.place)
        if name in self.names:
            return super()._name(name, tree)
        base, _, index = name.rpartition("_")
        place = scope.indices.get(index, row.places.get(index)) if base else None
        if place is not None:
            if base in scope.arguments:
                return self._argument(base, place)
            if base in row.rows:
                return row.rows[base][place]
            if base in self.definitions:
                return self._defined(base, place)
        if name in self.definitions:
            return self._defined(name, scope.place)
        if name in row.rows:
            if scope.place is None:
                raise self._error(f"{name} is a row; write {name}_c inside a sum over c", tree)
            return row.rows[name][scope.place]
        return super()._name(name, tree)

    def _argument(self, name: str, place: int | None) -> N:
        argument = self._scope.arguments[name]
        if place not in argument.found:
            scope = argument.scope
            with self._in(_Scope(scope.indices, scope.place if place is None else place, scope.arguments)):
                argument.found[place] = self._number(argument.tree, 0)
        found: N = argument.found[place]
        return found

    def _defined(self, name: str, place: int | None) -> N:
        """Return what a letter stands for, at a place (``p_c``) or without one (``tau``), computed once."""
        text = self.definitions[name]
        tree = language.tree_of(text)
        key = (name, place if is_indexed(tree) else None)
        if key not in self._found:
            if isinstance(tree, ast.Compare) and is_equation(name, tree):
                self._found[key] = self._solved(name, tree)
            else:
                self._found[key] = self.value(text, {} if place is None else {"c": place})
        return self._found[key]

    def _solved(self, name: str, tree: ast.Compare) -> N:
        if self.solve is None:
            raise self._error(f"{name} is defined by an equation, which these numbers cannot solve", tree)

        def difference(guess: N) -> N:
            # Letters that hold the guess must not be remembered.
            known, self._found = self._found, {}
            self.names[name] = guess
            try:
                with self._in(_Scope()):
                    return self.arithmetic.sub(self._number(tree.left, 0), self._number(tree.comparators[0], 0))
            finally:
                self._found = known
                del self.names[name]

        return self.solve(difference, self.row.rows["x"])

    # ---- sums and functions of rows

    def _compare(self, tree: ast.Compare, depth: int) -> N:
        match tree:
            case ast.Compare(left=ast.Name(id=index), ops=[ast.In()], comparators=[ast.Name(id="targets")]):
                if index in self._scope.indices:
                    return self.arithmetic.truth(self._scope.indices[index] in self.row.targets)
        return super()._compare(tree, depth)

    def _call(self, tree: ast.Call, depth: int) -> N:
        if not isinstance(tree.func, ast.Name):
            return super()._call(tree, depth)
        name, args = tree.func.id, tree.args
        if name in self.functions:
            return self._own(name, args)
        over = OVER.fullmatch(name)
        if over:
            return self._over(over[1], over[2], args[0], depth)
        if name == "lse":
            return self.arithmetic.call(
                "log", self._sum(self.arithmetic.call("exp", u) for u in self._entries(args[0]))
            )
        if name == "norm":
            return self._norm(args[0])
        if name == "cos" and len(args) == 2:
            products = map(self.arithmetic.mul, self._entries(args[0]), self._entries(args[1]))
            length = self.arithmetic.mul(self._norm(args[0]), self._norm(args[1]))
            return self.arithmetic.div(self._sum(products), length)
        return super()._call(tree, depth)

    def _own(self, name: str, args: Sequence[ast.expr]) -> N:
        """Read a function with a definition of its own; its arguments are read where they stand."""
        parameters, text = self.functions[name]
        if len(args) != len(parameters):
            raise FormulaError(f"{name} takes {len(parameters)} arguments, got {len(args)}")
        given = {parameter: _Argument(arg, self._scope) for parameter, arg in zip(parameters, args, strict=True)}
        with self._in(_Scope(arguments=given)):
            return self.read(text, language.tree_of(text))

    def _over(self, what: str, index: str, body: ast.expr, depth: int) -> N:
        scope, row = self._scope, self.row
        reach = row.targets if index == TARGETS_INDEX and row.targets else range(len(row))
        terms = []
        for place in reach:
            with self._in(_Scope({**scope.indices, index: place}, scope.place, scope.arguments)):
                terms.append(self._number(body, depth))
        if what == "max":
            return functools.reduce(functools.partial(self.arithmetic.call, "max"), terms)
        return self._sum(terms)

    def _entries(self, tree: ast.expr) -> Iterator[N]:
        scope = self._scope
        for place in range(len(self.row)):
            with self._in(_Scope(scope.indices, place, scope.arguments)):
                entry = self._number(tree, 0)
            yield entry

    def _norm(self, tree: ast.expr) -> N:
        squares = (self.arithmetic.mul(entry, entry) for entry in self._entries(tree))
        return self.arithmetic.call("sqrt", self._sum(squares))

    def _sum(self, terms: Iterator[N] | Sequence[N]) -> N:
        return functools.reduce(self.arithmetic.add, terms, self.arithmetic.constant(0))
