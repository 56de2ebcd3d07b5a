"""Every loss is examined and its page written, in processes side by side.

The packages that pages compare with are imported in these processes alone: Sphinx forks, and a fork of a process in
which JAX has started its threads may hang.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.checks import cache, verify
from losspages.checks.examine import PageFacts, complaints_about_fields, documented_texts, examiner_of
from losspages.checks.facts import check as check_facts
from losspages.formulas.symbolic import FormulaError
from losspages.pictures.sparklines import sparkline
from losspages.template.page import page


@dataclass
class Examined:
    """What has been found out about a loss."""

    name: str
    problems: list[str] = field(default_factory=list)
    facts: PageFacts | None = None
    text: str = ""


def examine(info: LossInfo) -> Examined:
    """Execute the statements of a page and write it, or say what is wrong."""
    missing = list(complaints_about_fields(info))
    if missing:
        return Examined(info.name, missing)
    try:
        facts = examiner_of(info)(info)
        facts.measured = check_facts(info)
        facts.spark = sparkline(info)
        return Examined(info.name, facts=facts, text=page(facts))
    except (verify.Disagreement, FormulaError) as error:
        return Examined(info.name, [str(error)])
    except Exception as error:  # a bug of the package shows here too; the others are still looked at
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return Examined(info.name, [f"{info.name}: {type(error).__name__}: {error} ({where})"])


def examine_by_name(name: str) -> Examined:
    """Examine a loss of the registry; what a process is asked for."""
    return examine(registry.info_of(name))


def run_texts(folder: Path) -> tuple[int, list[str]]:
    """Execute the examples of hand-written pages and of docstrings; return their number and what is wrong."""
    lines, problems = 0, []
    for text, name, filename in documented_texts(folder):
        try:
            lines += verify.run_doctest(text, name, filename)
        except verify.Disagreement as error:
            problems.append(str(error))
    return lines, problems


def run_all(
    infos: Sequence[LossInfo], folder: Path, processes: int, kept: Path
) -> tuple[list[Examined], tuple[int, list[str]]]:
    """Examine all losses and execute the examples of other texts; what has not changed comes from ``kept``.

    One process is this one: then nothing is kept, and the losses need not be those of the registry.
    """
    if processes < 2:
        return [examine(info) for info in infos], run_texts(folder)
    known = {info.name: cache.read(kept, info) for info in infos}
    with concurrent.futures.ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        texts = pool.submit(run_texts, folder)
        missing = [info.name for info in infos if known[info.name] is None]
        for found in pool.map(examine_by_name, missing):
            known[found.name] = found
            if not found.problems:
                cache.write(kept, registry.info_of(found.name), found)
        return [known[info.name] for info in infos], texts.result()


def facts_of(examined: Iterable[Examined]) -> list[PageFacts]:
    """Return what was executed for the pages that are right."""
    return [found.facts for found in examined if found.facts is not None]
