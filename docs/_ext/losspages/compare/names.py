"""The data of "explain my loss": the bindings of other packages as a browser can read them, checked against Python's.

A pasted call is bound in the browser by the rules of ``losslib.names.binding``. `check` lets Node do it for every name
at its defaults and with each parameter changed, and compares the loss and its arguments with what Python binds.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from losslib.combine.weighted_sum import first_term
from losslib.declaration.schema import LossInfo
from losslib.errors import ParameterError
from losslib.names.binding import bind, losses_of
from losslib.names.schema import REQUIRED, Binding, Case, Chooses, Ignored, Joins, Only, Parameter, Reduces, Takes
from losslib.names.tables import PACKAGES, package
from losslib.names.text import parameter_text
from losspages.catalogue.titles import title_of
from losspages.checks.verify import Disagreement
from losspages.formulas.javascript import NODE

__all__ = ["EXPLAIN", "check", "data"]

#: The code that reads a call; pages load it, and Node runs it here.
EXPLAIN = Path(__file__).parents[3] / "_static" / "names.js"


def _value(value: Any) -> Any:
    """Return a value as JSON holds it: what is no number, word, truth or None becomes its text."""
    return value if value is None or isinstance(value, bool | int | float | str) else {"text": repr(value)}


def _parameter(name: str, item: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "text": parameter_text(name, item)}
    if item.default is REQUIRED:
        found["required"] = True
    else:
        found["default"] = _value(item.default)
    match item:
        case Takes():
            found |= {"kind": "takes", "to": item.to or name, "converts": item.convert is not None}
        case Only():
            found |= {"kind": "only", "values": [_value(v) for v in (item.default, *item.also)], "reason": item.reason}
        case Chooses():
            found["kind"] = "chooses"
        case Joins():
            found["kind"] = "joins"
        case Ignored():
            found["kind"] = "ignored"
        case Reduces():
            found |= {"kind": "reduces", "words": [[_value(word), ours] for word, ours in item.words.items()]}
    return found


def _case(binding: Binding, case: Case) -> dict[str, Any]:
    if case.refused:
        return {"when": [[k, _value(v)] for k, v in case.when.items()], "refused": case.refused}
    frame = [f"log({name})" for name in case.log]
    frame += [f"{name} clipped to [{low:g}, {high:.8g}]" for name, (low, high) in case.clip.items()]
    if case.rows:
        frame.append(f"{case.rows} over {'the last axis' if case.axes == 'last' else 'all axes but the first'}")
    sets = dict(case.sets)
    if case.makes is not None:  # known at the defaults; beyond them Python has to compute it
        defaults = {name: item.default for name, item in binding.parameters.items()} | dict(case.when)
        with contextlib.suppress(ParameterError, TypeError, ValueError):
            sets |= case.makes(defaults)
    reduction = sets.pop("reduction", case.reduction)
    return {
        "when": [[k, _value(v)] for k, v in case.when.items()],
        "loss": case.loss,
        "sets": [[k, _value(v)] for k, v in sets.items()],
        "computed": case.makes is not None,
        "without": list(case.without),
        "renames": dict(case.renames),
        "factor": case.factor,
        "frame": frame,
        "reduction": reduction,
        "note": case.note,
    }


def entries() -> Iterator[dict[str, Any]]:
    """Yield every binding of every package."""
    for key in PACKAGES:
        table = package(key)
        for binding in table.bindings:
            yield {
                "package": key,
                "title": table.title,
                "names": list(binding.names),
                "order": table.order,
                "parameters": [_parameter(name, item) for name, item in binding.parameters.items()],
                "cases": [_case(binding, case) for case in binding.cases],
            }


def _loss(info: LossInfo) -> dict[str, Any]:
    reduction = next((item.meaning for item in info.parameters if item.name == "reduction"), "")
    return {
        "title": title_of(info),
        "summary": info.summary.replace("`", ""),
        "inputs": list(info.input_names),
        "reduction": reduction.replace("`", ""),
        "pitfalls": [text.replace("`", "") for text in info.pitfalls],
        "names": [info.name, info.class_name, *info.aliases],
        "defaults": {item.name: _value(item.default) for item in info.parameters if item.name != "check"},
    }


def data(infos: Sequence[LossInfo]) -> str:
    """Return what the page loads, as one script."""
    tables = {key: {"title": package(key).title, "prefixes": package(key).prefixes} for key in PACKAGES}
    parts = {
        "losslibPackages": tables,
        "losslibBindings": list(entries()),
        "losslibMeanings": {info.name: _loss(info) for info in infos},
    }
    return "".join(
        f"const {name} = {json.dumps(value, separators=(',', ':'), ensure_ascii=False)};\n"
        for name, value in parts.items()
    ).replace("-Infinity", "-1e999").replace("Infinity", "1e999").replace("NaN", "null")  # fmt: skip


# ---- against Python --------------------------------------------------------------------------------------------------

_RUNNER = """
const calls = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(calls.map(({ package: key, text }) => {
  const found = losslibNames.explain(text).filter((one) => one.binding?.package === key)[0];
  return found ? { loss: found.loss, given: found.given, refused: found.refused, computed: found.computed } : null;
})));
"""


def _example(item: Parameter) -> Any:
    """Return a value that a parameter without default takes: a number, or a list where a number is none."""
    convert = getattr(item, "convert", None)
    for value in (0.5, [1, 2]):
        with contextlib.suppress(TypeError, ValueError):
            if convert is not None:
                convert(value)
            return value
    return 0.5


def _tried(binding: Binding) -> Iterator[dict[str, Any]]:
    """Yield parameters to try: what is required, then each number and choice changed."""
    needed: dict[str, Any] = {}
    for name, item in binding.parameters.items():
        if item.default is REQUIRED:
            needed[name] = next((case.when[name] for case in binding.cases if name in case.when), _example(item))
    yield needed
    for name, item in binding.parameters.items():
        if isinstance(item, Takes) and isinstance(item.default, float) and item.convert is None:
            yield {**needed, name: item.default * 1.25 + 0.125}
        if isinstance(item, Chooses):
            yield from ({**needed, name: case.when[name]} for case in binding.cases if name in case.when)
        if isinstance(item, Reduces):
            yield from ({**needed, name: word} for word in item.words)


def check(infos: Sequence[LossInfo]) -> int:
    """Compare what Node makes of calls with what Python binds; return how many calls there were."""
    calls, wanted = [], []
    for key in PACKAGES:
        for binding in package(key).bindings:
            if not losses_of(binding):
                continue
            for given in _tried(binding):
                written = ", ".join(f"{name}={value!r}" for name, value in given.items())
                calls.append({"package": key, "text": f"{key}:{binding.name}({written})"})
                wanted.append((key, binding, given))
    code = data(infos) + EXPLAIN.read_text() + _RUNNER
    answers = json.loads(_run(code, json.dumps(calls)))
    for call, (key, binding, given), answer in zip(calls, wanted, answers, strict=True):
        _compare(call["text"], key, binding, given, answer)
    return len(calls)


def _run(code: str, given: str) -> str:
    """Run code that is too long for a command line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "names.js"
        path.write_text(code)
        finished = subprocess.run([NODE, path], input=given, capture_output=True, text=True, check=False, timeout=300)
    if finished.returncode:
        raise Disagreement(f"the names of other packages do not run as JavaScript: {finished.stderr[-2000:]}")
    return finished.stdout


def _compare(text: str, key: str, binding: Binding, given: dict[str, Any], answer: dict[str, Any] | None) -> None:
    loss, refused = None, False
    try:
        loss = first_term(bind(key, binding, given))
    except ParameterError as error:  # a value that is out of range here is none of the browser's business
        refused = "no exact counterpart" in str(error)
    if answer is None:
        raise Disagreement(f"{text} is not found in the browser")
    if answer.get("computed"):  # the page gives the call of losslib.get alone
        return
    if refused != bool(answer.get("refused")):
        raise Disagreement(f"{text} is {'refused' if refused else repr(loss)} here and {answer} in the browser")
    if loss is None or refused:
        return
    if answer["loss"] != loss.info.name:
        raise Disagreement(f"{text} is {loss.info.name} here and {answer['loss']} in the browser")
    for name, value in answer["given"]:
        found = loss.parameters.get(name)
        if name != "reduction" and isinstance(found, bool | int | float | str) and found != value:
            raise Disagreement(f"{text}: {name} is {found!r} here and {value!r} in the browser")
