"""What Sphinx starts: every statement is executed, then the pages are written, then the finished site is looked at."""

from __future__ import annotations

import time
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import losslib
from losslib.declaration import registry
from losslib.names.tables import PACKAGES as PACKAGES_BY_NAME
from losspages import examination
from losspages.catalogue import choices, indexes, migration, peer_names, places, tags
from losspages.checks import links, verify
from losspages.checks.examine import Summary
from losspages.compare import data as compare
from losspages.compare import names
from losspages.formulas import javascript
from losspages.pictures import portraits
from losspages.reports import accuracy, cheat_sheet, performance
from losspages.rst import indent
from losspages.template.page import MIGRATIONS, state

logger = logging.getLogger(__name__)

#: Processes that examine losses at a time, where Sphinx may use several (``-j``).
PROCESSES = 2


class LossObjects(SphinxDirective):
    """Make the top of a page the place of a function and of its class."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        domain = self.env.get_domain("py")
        places = []
        for kind, name in zip(("function", "class"), self.arguments, strict=True):
            domain.note_object(name, kind, name, location=self.get_location())  # type: ignore[attr-defined]
            places.append(nodes.target("", "", ids=[name]))
        return places


def generate(app: Sphinx) -> None:
    """Check every loss and write its page; raise with everything that is wrong."""
    if app.builder.name.endswith("markdown"):  # the second build for the Markdown twins, of pages that exist already
        return
    start = time.perf_counter()
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    summary = Summary()
    infos = list(registry.all_losses())
    processes = PROCESSES if getattr(app, "parallel", 1) > 1 else 1
    kept = Path(getattr(app, "outdir", folder)).parent / "examined"
    found, (lines, problems) = examination.run_all(infos, Path(app.srcdir), processes, kept)
    files = {one.name: one.text for one in found if not one.problems}
    problems = [problem for one in found for problem in one.problems] + problems
    examined = examination.facts_of(found)
    for facts in examined:
        summary.count(facts)
    summary.examples += lines
    try:
        summary.scripts = javascript.check(infos)
        summary.bindings = names.check(infos)
    except verify.Disagreement as error:
        problems.append(str(error))
    if problems:
        raise ExtensionError("\n\n".join(["the pages disagree with the package:", *problems]))
    for family in dict.fromkeys(info.family for info in infos):
        files[family] = indexes.family_page(family, [facts for facts in examined if facts.info.family == family])
    files["tags"] = tags.page(infos)
    files["names"] = indexes.names_page(infos)
    files["accuracy"] = accuracy.page(examined, summary)
    files["portraits"] = portraits.page(infos)
    leaves, special = choices.read(Path(app.srcdir))
    asked = choices.asked(leaves)
    scripts = {"losses": compare.text(examined), "bindings": names.data(infos), "choices": choices.script(leaves)}
    scripts["search"] = indexes.search_script(examined, asked)
    write_scripts(folder / "scripts", scripts)
    cheat_sheet.draw(leaves, folder / "scripts")
    generated = migration.to_generate(Path(app.srcdir))
    files |= {f"from_{key}": migration.page(key, examined, state) for key in generated}
    measured = performance.read(Path(app.srcdir))
    files["performance"] = performance.page(measured)
    # Pieces that hand-written pages include.
    pieces = {f"from_{package}": indexes.migration_table(package, examined, state) for package in MIGRATIONS}
    pieces |= {"choices": choices.page(leaves, special), "functionals": choices.functionals(examined)}
    pieces["doors"] = indexes.doors(infos)
    pieces["migrations"] = migration.contents(generated)
    pieces |= {f"names_{key}": peer_names.table_of(key) for key in PACKAGES_BY_NAME}
    second = sum(info.has_hessian for info in infos)
    pieces["count"] = (
        f"{len(infos)} loss functions with gradients, {second} of them with Hessians, for NumPy arrays, compiled for "
        "the CPU: no framework, no graph, no GPU.\n"
    )
    pieces["samples"] = indexes.samples(examined)
    pieces["catalogue"] = indexes.catalogue(examined, asked)
    pieces["speed"] = f".. raw:: html\n\n{indent(performance.picture(measured))}\n"
    write(folder, {f"{name}.rst": text for name, text in files.items()} | {f"{k}.inc": v for k, v in pieces.items()})
    summary.seconds = time.perf_counter() - start
    app.losspages_summary = summary  # type: ignore[attr-defined]


def write(folder: Path, files: dict[str, str]) -> None:
    """Write what changed and delete what no longer exists, so that a second build reads only what is new."""
    for old in [*folder.glob("*.rst"), *folder.glob("*.inc")]:
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def write_scripts(folder: Path, texts: dict[str, str]) -> None:
    """Write what pages load: data that works from a file too, without a server."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = folder / f"{name}.js"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def report(app: Sphinx, exception: Exception | None) -> None:
    """Check the links of the finished site and print what the build has checked."""
    summary: Summary | None = getattr(app, "losspages_summary", None)
    if exception is not None or summary is None:
        return
    rows = [*summary.rows(), ("time of the checks", f"{summary.seconds:.1f} s")]
    if app.builder.name == "html":
        (Path(app.outdir) / "_static" / "places.js").write_text(places.script(app.env), encoding="utf-8")
        found = links.check(Path(app.outdir))
        if found.problems:
            raise ExtensionError("\n".join(["links that lead nowhere:", *found.problems]))
        rows.insert(-1, ("links checked", f"{found.links} on {found.pages} pages"))
    logger.info("\nChecked against losslib %s (%s):", losslib.__version__, losslib.config()["isa"])
    for name, text in rows:
        logger.info("  %-26s %s", name, text)
