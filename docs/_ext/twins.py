"""Sphinx extension: what the Markdown twins of the pages would lose or get wrong.

The Markdown writer takes a superscript for a subscript, drops the words of nodes that it does not know, and copies raw
HTML: pictures as SVG, with the curves of their sliders. Here such nodes are replaced before it sees them.
"""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_design.shared import PassthroughTextElement


class ForMarkdown(SphinxPostTransform):
    """Replace what the Markdown writer has nothing for."""

    default_priority = 900  # after links have been resolved
    builders = ("llms-markdown",)

    def run(self, **options: Any) -> None:
        for node in list(self.document.findall(nodes.superscript)):
            node.replace_self(nodes.raw("", f"<sup>{html.escape(node.astext())}</sup>", format="html"))
        for node in list(self.document.findall(nodes.abbreviation)):  # the star and the slash of a signature
            node.replace_self(nodes.inline("", "", *node.children))
        for node in list(self.document.findall(nodes.classifier)):
            node.replace_self(nodes.inline("", "", nodes.Text(" : "), *node.children))
        for node in list(self.document.findall(PassthroughTextElement)):  # titles and links of cards
            node.replace_self(nodes.paragraph("", "", *node.children))
        for node in list(self.document.findall(nodes.raw)):
            if 'type="application/json"' in node.astext() and "<figure" not in node.astext():
                node.parent.remove(node)  # what a script reads
            elif 'class="spark"' in node.astext():
                node.parent.remove(node)  # the words beside it say what it is
            elif re.search("<svg|<figure", node.astext()):
                node.replace_self(nodes.paragraph("", "", nodes.emphasis("", f"Picture: {label(node.astext())}.")))


def label(figure: str) -> str:
    """Return what a picture tells those who cannot see it: its labels, or the names of its curves."""
    labels = re.findall(r"aria-label=(['\"])(.*?)\1", figure)
    texts = [text for _, text in labels] or re.findall(r"<title>(.*?)</title>", figure)
    return html.unescape("; ".join(dict.fromkeys(texts)))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(ForMarkdown)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
