"""The tables that pages of several geometries have in the same form."""

from __future__ import annotations

from losspages.checks.examine import PageFacts
from losspages.rst import escape, heading, link, table


def inputs(facts: PageFacts, types: str) -> str:
    """Return the section of the inputs: what each holds, what it refuses, and a sentence about types."""
    rows = [
        [f"``{item.name}``", link(item.meaning), f"``DomainError``: {escape(text)}" if text else "no value is outside"]
        for item, text in zip(facts.info.inputs, facts.outside, strict=True)
    ]
    return f"{heading('Inputs')}\n{table(['input', 'meaning', 'outside'], rows, css='loss-inputs')}\n{types}\n"


def divisors(facts: PageFacts) -> str:
    """Return the table of what each reduction divides by, one column for each situation that was measured."""
    situations = list(facts.reductions[0].divisors)
    rows = [
        [f'``"{row.mode}"``', *(f"÷ {row.divisors[key]:g}" for key in situations), str(row.empty), str(row.masked)]
        for row in facts.reductions
    ]
    return table(["reduction", *situations, "empty batch", "all masked"], rows, css="loss-reductions")
