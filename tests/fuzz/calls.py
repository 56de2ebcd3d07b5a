"""One call of a loss with arguments good and bad, and what may come of it.

A call either answers or raises ``ValueError`` or ``TypeError``. It writes into ``out`` alone, and if it refuses, not
even there (unless an input left its domain, which is seen on the way). The layout of the arguments changes no answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fuzz import arguments, hostile
from fuzz.arenas import LAYOUTS, Arena, arena
from losslib import DomainError
from losslib.declaration import registry
from losslib.declaration.schema import LossInfo

MODES = ("value", "grad", "value_and_grad", "value_grad_hess")

#: What can be wrong with a call, or at the edge of being right.
MISCHIEF = (
    "specials", "shape", "type", "thing", "parameter", "unknown", "positional", "out", "where", "sample_weight",
    "grad_output", "wrt", "check",
)  # fmt: skip

#: Largest relative difference between the answers on two layouts of the same numbers: a few units in the last place.
TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-6, "float64": 1e-13}


@dataclass
class Call:
    """A loss, how it is called, and with what."""

    info: LossInfo
    mode: str
    bound: bool  # through an object of its class, parameters given to the constructor
    inputs: list[Any]
    parameters: dict[str, Any]
    options: dict[str, Any]
    arenas: list[Arena] = field(repr=False)
    outs: list[Arena]
    plain: bool = field(repr=False)  # nothing but layouts, valid options and special numbers: comparable

    def run(self, inputs: list[Any] | None = None, options: dict[str, Any] | None = None) -> Any:
        """Make the call, with other arrays if they are given."""
        inputs = self.inputs if inputs is None else inputs
        options = self.options if options is None else options
        if self.bound:
            owner: Any = registry.class_of(self.info.name)(**self.parameters)
            keywords = options
        else:
            owner = registry.function_of(self.info.name)
            keywords = {**self.parameters, **options}
        entry = owner if self.mode == "value" else getattr(owner, self.mode)
        return entry(*inputs, **keywords)

    def run_on_copies(self) -> Any:
        """Make the same call on contiguous copies in native byte order, without `out`."""
        options = {name: clean(value) for name, value in self.options.items() if name != "out"}
        return self.run([clean(value) for value in self.inputs], options)


def clean(value: Any) -> Any:
    """Return a contiguous copy of an array, or of what becomes an array; anything else as it is."""
    if isinstance(value, list):
        return np.array(value, np.float64) if np.array(value).dtype.kind == "f" else np.array(value)
    if isinstance(value, np.ndarray):
        return np.array(value, value.dtype.newbyteorder("="), copy=True, order="C", subok=False)
    return value


def draw(seed: int, mode: str, bound: bool, layouts: list[str], mischief: list[str], info: LossInfo) -> Call:
    """Make a call from choices that Hypothesis has drawn, and numbers from a generator with this seed."""
    rng = np.random.default_rng(seed)
    parameters = arguments.parameters(info, rng)
    arrays = arguments.inputs(info, parameters, rng)
    parameters |= arguments.array_parameters(info, arrays, rng)
    if rng.random() < 0.5:
        parameters["reduction"] = str(rng.choice(info.reductions))
    mixed = rng.random() < 0.1
    dtype = arguments.FLOATS[int(rng.choice(4, p=[0.4, 0.4, 0.1, 0.1]))]
    arenas: list[Arena] = []
    inputs: list[Any] = []
    plain = True
    for k, array in enumerate(arrays):
        kind = arguments.FLOATS[int(rng.integers(4))] if mixed else dtype
        given = array.astype(kind) if array.dtype.kind == "f" else array
        if "specials" in mischief and rng.random() < 0.7:
            given = hostile.with_specials(given, rng)
        if "shape" in mischief and (k == 0 or rng.random() < 0.3):
            given, plain = hostile.other_shape(given, rng), False
        if "type" in mischief and rng.random() < 0.5:
            given, plain = hostile.other_type(given, rng), False
        if "thing" in mischief and rng.random() < 0.5:
            inputs.append(hostile.thing(rng))
            plain = False
        elif given.dtype.hasobject or (layouts[k] == "list" and given.dtype == np.float64 and given.size):
            inputs.append(given.tolist() if layouts[k] == "list" else given)
        else:
            layout = layouts[k] if layouts[k] in LAYOUTS else "plain"
            arenas.append(arena(given, layout))
            inputs.append(arenas[-1].array)
    options: dict[str, Any] = {}
    first = inputs[0] if isinstance(inputs[0], np.ndarray) else np.zeros(3)
    for name in ("sample_weight", "where"):
        if name in mischief or rng.random() < 0.15:
            shape = first.shape if info.geometry == "pointwise" or rng.random() < 0.2 else first.shape[:1]
            values = rng.random(shape) if name == "sample_weight" else rng.random(shape) < 0.7
            if name in mischief:
                values = [hostile.thing(rng), hostile.other_shape(values, rng), hostile.other_type(values, rng)][
                    int(rng.integers(3))
                ]
                plain = False
            if isinstance(values, np.ndarray) and not values.dtype.hasobject:
                arenas.append(arena(values, str(rng.choice(LAYOUTS[:6]))))
                values = arenas[-1].array
            options[name] = values
    if "grad_output" in mischief:
        options["grad_output"] = [2.5, np.ones(first.shape[:1]), hostile.thing(rng), np.ones((2, 2), "f4")][
            int(rng.integers(4))
        ]
        plain = False
    if "wrt" in mischief:
        names = (*info.input_names, *info.differentiable)
        options["wrt"] = hostile.parameter(rng) if rng.random() < 0.3 else str(rng.choice(names))
        plain = False
    if "check" in mischief:
        parameters["check"] = False
    if "parameter" in mischief and info.parameters:
        name = info.parameters[int(rng.integers(len(info.parameters)))].name
        parameters[name] = hostile.parameter(rng)
        plain = False
    if "unknown" in mischief:
        options[str(rng.choice(["inputs", "axes", "dtype", "", "reduction_", "self"]))] = hostile.thing(rng)
        plain = False
    if "positional" in mischief:
        inputs = inputs[: int(rng.integers(0, len(inputs)))] if rng.random() < 0.5 else [*inputs, hostile.thing(rng)]
        plain = False
    call = Call(info, mode, bound, inputs, parameters, options, arenas, [], plain)
    if "out" in mischief:
        add_out(call, rng)
    return call


def add_out(call: Call, rng: np.random.Generator) -> None:
    """Give the call arrays to write into: right ones, an input, a piece of one, read-only ones, and things."""
    first = call.inputs[0] if call.inputs and isinstance(call.inputs[0], np.ndarray) else np.zeros(3)
    template = np.zeros(first.shape, first.dtype)
    if template.dtype.hasobject:
        template = np.zeros(3)
    kind = int(rng.integers(8))
    made: list[Any] = []
    for _ in range(2 if call.mode == "value_grad_hess" or rng.random() < 0.1 else 1):
        if kind <= 2:
            call.outs.append(arena(template, str(rng.choice(["plain", "gaps", "reversed", "fortran", "misaligned"]))))
        elif kind == 3:
            call.outs.append(arena(template, str(rng.choice(["read-only", "broadcast", "swapped", "subclass"]))))
        elif kind == 4:
            call.outs.append(arena(hostile.other_shape(template, rng)))
        else:
            if kind == 5 and call.arenas:  # an input itself
                made.append(call.arenas[int(rng.integers(len(call.arenas)))].array)
            elif kind == 6 and call.arenas and first.ndim:  # memory of an input, otherwise placed
                made.append(first[::-1])
            else:
                made.append(hostile.thing(rng))
            continue
        made.append(call.outs[-1].array)
    call.options["out"] = made[0] if len(made) == 1 else tuple(made)
    call.plain = call.plain and kind in (0, 1, 2, 5, 6)


# ---- what came of it ---------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """The answer of a call, or the exception that it raised."""

    answer: Any = None
    error: Exception | None = None


def attempt(run: Any) -> Outcome:
    """Make a call; any exception but the two that are promised goes through."""
    try:
        return Outcome(answer=run())
    except (ValueError, TypeError) as error:
        return Outcome(error=error)


def examine(call: Call) -> Outcome:
    """Make the call and assert what holds for every call."""
    expected = attempt(call.run_on_copies) if call.plain else None
    found = attempt(call.run)
    check_memory(call, found)
    if expected is not None:
        compare(call, found, expected)
    return found


def out_arrays(call: Call) -> list[Any]:
    given = call.options.get("out")
    return list(given) if isinstance(given, tuple | list) else [given]


def check_memory(call: Call, found: Outcome) -> None:
    """Assert that no byte changed but those of `out`, and those only by a call that answered."""
    given = out_arrays(call)
    shared = any(isinstance(out, np.ndarray) and any(np.may_share_memory(out, a.array) for a in call.arenas)
                 for out in given)  # fmt: skip
    written = found.error is None or (isinstance(found.error, DomainError) and not shared)
    for item in call.arenas + call.outs:
        changed = item.changed()
        if written and any(isinstance(out, np.ndarray) and np.may_share_memory(out, item.array) for out in given):
            changed &= ~item.covered
        assert not changed.any(), f"{int(changed.sum())} bytes of {item} changed; {found}"
    if found.error is None and call.options.get("out") is None:
        for result in leaves(found.answer):
            for item in call.arenas:
                if isinstance(result, np.ndarray) and result.size:
                    assert not np.may_share_memory(result, item.memory), f"a result lies in the memory of {item}"


def leaves(answer: Any) -> list[Any]:
    if isinstance(answer, tuple | list):
        return [leaf for part in answer for leaf in leaves(part)]
    return [answer]


def compare(call: Call, found: Outcome, expected: Outcome) -> None:
    """Assert that layout and `out` change nothing: the same answer, or a refusal for the same reason."""
    if expected.error is not None or found.error is not None:
        if found.error is not None and call.options.get("out") is not None:
            return  # it may be `out` that was refused, and the copies were called without it
        assert type(found.error) is type(expected.error), f"{found}\non copies: {expected}"
        return
    results, references = leaves(found.answer), leaves(expected.answer)
    assert len(results) == len(references)
    for result, reference in zip(results, references, strict=True):
        assert type(result) is type(reference) or isinstance(result, np.ndarray), (result, reference)
        if isinstance(reference, np.ndarray):
            assert result.dtype == reference.dtype, (result.dtype, reference.dtype)
            assert result.shape == reference.shape, (result.shape, reference.shape)
        dtypes = [x.dtype.name for x in (*call.inputs, reference) if isinstance(x, np.ndarray)]
        tolerance = max(TOLERANCE.get(name, 0.0) for name in (*dtypes, "float64"))
        a, b = np.asarray(result, np.float64), np.asarray(reference, np.float64)
        finite = b[np.isfinite(b)]
        largest = float(abs(finite).max()) if finite.size else 0.0
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=min(tolerance * largest, 1e300))
