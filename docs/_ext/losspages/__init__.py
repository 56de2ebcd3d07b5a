"""Sphinx extension: one page per loss, an index per family and per tag, all made from the registry.

Before anything is written the statements of a page are executed (``checks``); what disagrees with the compiled package
fails the build. The pages go to ``docs/generated/``.

- ``build``: what Sphinx starts, in its order
- ``checks``: what is executed, by kind of loss, and the calls of other packages
- ``formulas``: formulas over Taylor numbers and as SymPy's expressions, printed as LaTeX and JavaScript
- ``pictures``: curves of value and gradient, sliders, portraits
- ``template``: the page of a loss, and the parts of it that differ between kinds of losses
- ``catalogue``: indexes, names of other packages
- ``reports``: accuracy and performance
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    import losslib
    from losspages import build
    from losspages.catalogue import sidebar

    app.add_directive("loss-objects", build.LossObjects)
    app.connect("builder-inited", build.generate)
    app.connect("html-page-context", sidebar.replace, priority=400)  # before the theme looks at the list
    # After the extensions that write files of their own, so that links to those are known.
    app.connect("build-finished", build.report, priority=900)
    return {"version": losslib.__version__, "parallel_read_safe": True, "parallel_write_safe": True}
