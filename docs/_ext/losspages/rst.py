"""reStructuredText: the pieces that pages are put together from."""

from __future__ import annotations

import re

from losslib.declaration import registry


def heading(text: str, line: str = "-") -> str:
    return f"{text}\n{line * len(text)}\n"


def indent(text: str, by: int = 3) -> str:
    return "\n".join(" " * by + line if line.strip() else "" for line in text.splitlines())


def bullets(items: tuple[str, ...] | list[str]) -> str:
    return "\n".join("* " + indent(item, 2).strip() for item in items) + "\n"


def table(header: list[str], rows: list[list[str]], widths: str = "auto", css: str = "") -> str:
    """Return a list-table; cells may hold several paragraphs."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}"]
    if css:
        lines.append(f"   :class: {css}")
    lines.append("")
    for row in [header, *rows]:
        for k, cell in enumerate(row):
            lead = "   * - " if k == 0 else "     - "
            lines.append(lead + indent(cell, 7).strip())
    return "\n".join(lines) + "\n"


def folded(section: str, own: str) -> str:
    """Return a section as a part that opens when its title is pressed, or when a link leads into it."""
    title, _, body = section.split("\n", 2)
    name = re.sub(r"[^a-z0-9]+", "-", f"{own} {title}".lower())
    return f".. dropdown:: {title}\n   :name: {name}\n   :class-container: loss-folded\n\n{indent(body)}\n"


def math(tex: str) -> str:
    r"""Return a displayed formula; what a ``\qquad`` keeps apart stands on lines of its own, for narrow columns."""
    lines = [""]
    depth = 0
    for token in re.findall(r"\\[A-Za-z]+|\\.|.", tex, re.DOTALL):
        depth += (token in ("{", r"\begin", r"\left")) - (token in ("}", r"\end", r"\right"))
        if token == r"\qquad" and depth == 0:
            lines.append("")
        else:
            lines[-1] += token
    if len(lines) > 1:
        tex = r"\begin{gathered} " + r" \\[0.5em] ".join(line.strip() for line in lines) + r" \end{gathered}"
    return f".. math::\n\n{indent(tex)}\n"


def slug(tag: str) -> str:
    return "tag-" + re.sub(r"[^a-z0-9]+", "-", tag.lower())


def link(text: str, own: str = "") -> str:
    """Make links of literal names of losses, except on their own page."""
    names = {info.name for info in registry.all_losses()} - {own}
    text = re.sub(r"``(\w+)``", lambda m: f":py:func:`~losslib.{m[1]}`" if m[1] in names else m[0], text)
    text = re.sub(r"(?<![`:])`(\w+)`(?!`)", r"``\1``", text)
    # A bar opens a substitution; in these texts it is an absolute value.
    return "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in re.split(r"(``.+?``)", text))


def escape(text: str) -> str:
    """Protect the characters that reStructuredText reads as markup."""
    return re.sub(r"([\\*`|_])", r"\\\1", text)
