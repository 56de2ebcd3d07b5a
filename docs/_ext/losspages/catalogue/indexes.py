"""The pages that list losses: by family, by tag, by name."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from losslib.declaration.keywords import places_of
from losslib.declaration.schema import LossInfo
from losspages.catalogue.titles import title_of
from losspages.checks.equivalents import EquivalentResult
from losspages.checks.examine import PageFacts
from losspages.rst import escape, heading, indent, link, table
from losspages.template.fact_strip import facts_of

#: Title and opening of each family's index.
FAMILIES = {
    "regression": (
        "Regression",
        "Losses between a prediction and a real target. Most depend on the difference alone; they differ in how much a "
        "large error counts.",
    ),
    "likelihood": (
        "Likelihoods and divergences",
        "Negative log-likelihoods of counts, positive amounts and real values, and divergences between distributions.",
    ),
    "binary": (
        "Binary and multi-label",
        "Losses for yes/no questions, one for each element, on probabilities, logits or margins.",
    ),
    "multiclass": (
        "Multi-class",
        "Losses of whole rows of classes: cross entropy and its relatives on logits or probabilities, "
        "divergences between two predicted distributions, and margins between scores.",
    ),
    "segmentation": (
        "Segmentation",
        "Losses of regions, from what a predicted mask and the true one have in common: Dice, Jaccard, Tversky and "
        "their relatives, alone or beside a cross-entropy.",
    ),
    "boxes": (
        "Boxes and detection",
        "Losses of a predicted box against the true one by their overlap, and of the scores of candidate boxes.",
    ),
    "embedding": (
        "Embeddings",
        "Losses of pairs and triplets of vectors, by distance or by angle.",
    ),
    "contrastive": (
        "Contrast",
        "Losses of a batch of vectors in which each meets all others: views of the same thing, members of the same "
        "class, proxies of classes.",
    ),
    "vocabulary": (
        "Large vocabularies",
        "Cross-entropies over so many classes that a matrix of logits would not fit: fused, sampled or in a tree.",
    ),
    "ordinal": (
        "Ordered classes",
        "Losses of ratings, grades and stages: the order is in the model, or in the cost of an error.",
    ),
    "sequence": (
        "Sequences",
        "Losses between a sequence of frames and a sequence of labels whose alignment is unknown.",
    ),
    "ranking": (
        "Ranking",
        "Losses of the order of the items of a list: by pairs, by a softmax over the list, by the metric itself.",
    ),
    "survival": (
        "Survival",
        "Losses of the time until an event that some samples have not seen when their observation ends.",
    ),
}


#: Door -> the families behind it. A family that no door names has one of its own.
DOORS = {
    "Numbers": ("A real target, by the error or its size.", ("regression",)),
    "Distributions": ("Counts, amounts, spreads; one distribution against another.", ("likelihood",)),
    "Classes": (
        "Yes or no, one of several, several at once, in an order.",
        ("binary", "multiclass", "ordinal", "vocabulary"),
    ),
    "Pictures": ("Masks, boxes, images.", ("segmentation", "boxes", "image")),
    "Vectors": ("Pairs, triplets, batches of embeddings.", ("embedding", "contrastive", "metric")),
    "Orders": ("Lists of items, and preferences.", ("ranking", "preference")),
    "Time": ("Sequences without alignment, times until an event.", ("sequence", "survival")),
}


def family_title(family: str) -> str:
    return FAMILIES[family][0] if family in FAMILIES else family.replace("_", " ").capitalize()


def doors(infos: Sequence[LossInfo]) -> str:
    """Return the doors as cards: what is behind each, with the number of losses."""
    families = list(dict.fromkeys(info.family for info in infos))
    named = {family for _, members in DOORS.values() for family in members}
    cards = [(door, text, [f for f in families if f in members]) for door, (text, members) in DOORS.items()]
    cards += [(family_title(family), "", [family]) for family in families if family not in named]
    parts = [".. grid:: 2 3 4 7\n   :gutter: 1\n"]
    for door, text, members in cards:
        if members:
            listed = ", ".join(
                f":ref:`{family_title(family)} <family-{family}>` ({sum(info.family == family for info in infos)})"
                for family in members
            )
            parts.append(f"   .. grid-item-card:: {door}\n\n      {text} {listed}\n")
    return "\n".join(parts) + "\n"


def door_of(family: str) -> str:
    """Return the door that a family is behind."""
    return next((door for door, (_, members) in DOORS.items() if family in members), family_title(family))


def pictured(facts: PageFacts) -> str:
    """Return the name of a loss as a link, and its small picture."""
    return f":py:func:`~losslib.{facts.info.name}`\n\n.. raw:: html\n\n   {facts.spark}"


#: Losses that the start page shows, one of each kind.
SHOWN = (
    "huber_loss", "quantile_loss", "tukey_biweight_loss", "cross_entropy", "hinge_loss", "poisson_nll_loss",
    "dice_loss", "listnet_loss", "ctc_loss_with_logits",
)  # fmt: skip


def samples(examined: Sequence[PageFacts]) -> str:
    """Return a row of small pictures, each a link to the page of its loss."""
    by_name = {facts.info.name: facts for facts in examined}
    shown = [by_name[name] for name in SHOWN if name in by_name]
    links = "".join(
        f'<a href="generated/{facts.info.name}.html">{facts.spark}<span>{html.escape(title_of(facts.info))}</span></a>'
        for facts in shown
    )
    return f'.. raw:: html\n\n   <div class="loss-samples">{links}</div>\n'


def best_constant(known: Mapping[str, str]) -> str:
    """Return what a loss estimates, in short."""
    return re.sub(r" of a sample with (mean \S+) and (median \S+)", r" (\1, \2)", known.get("best constant", "–"))


def overview(examined: Sequence[PageFacts]) -> str:
    """Return the table that compares the losses of a family: meaning, and what was measured."""
    rows = []
    for facts in examined:
        info, known = facts.info, dict(facts_of(facts.info, facts.measured[:1]))
        cells = [known.get(title, "–") for title in ("convex", "gradient without jumps", "slope bounded")]
        row = [pictured(facts), link(info.summary), escape(best_constant(known)), *map(escape, cells)]
        rows.append([*row, "yes" if info.has_hessian else "no"])
    header = ["loss", "meaning", "best constant", "convex", "gradient without jumps", "slope bounded", "Hessian"]
    return table(header, rows, widths="24 34 12 8 8 7 7", css="loss-overview")


#: What an input holds -> how the catalogue calls it; lengths and fractions come beside others and have no word.
HOLDS = {
    "class": "classes", "relevance": "relevances", "member": "groups", "class_sequence": "sequences of labels",
    "class_list": "lists of classes", "label": "labels", "time": "times", "event": "events", "interval": "intervals",
    "cause": "causes",
}  # fmt: skip
NUMBERS = {
    "real": "numbers", "nonnegative": "numbers ≥ 0", "positive": "numbers > 0", "above_minus_one": "numbers > −1",
    "probability": "0 to 1", "sign": "−1 or 1", "binary": "0 or 1",
}  # fmt: skip


def takes(info: LossInfo) -> tuple[str, str]:
    """Return in a word or two what a prediction and what a target is."""
    first = info.inputs[0]
    kinds = ("logits", "log-probabilities", "vectors", "boxes", "cosines")
    prediction = next((kind for kind in kinds if kind in info.tags), "")
    if not prediction:
        several = {"row": "scores", "score": "scores"}.get(first.holds, "numbers")
        prediction = "probabilities" if first.domain.name == "probability" else several
    target = next((item for item in info.inputs[1:] if item.name not in ("input2", "linear_weight", "negatives")), None)
    if target is None or (prediction in ("vectors", "boxes") and target.holds == "row"):
        return prediction, prediction
    if prediction == "probabilities" and target.domain.name == "probability" and target.holds == "class":
        return prediction, "masks"
    if target.holds in ("number", "row"):
        words = NUMBERS.get(target.domain.name, "numbers")
        return prediction, "probabilities" if words == "0 to 1" else words
    return prediction, HOLDS.get(target.holds, "numbers")


#: Letters of the catalogue for what was measured, and for second derivatives.
SIGNS = (("C", "convex"), ("S", "gradient without jumps"), ("B", "slope bounded"), ("P", "proper"), ("H", "Hessian"))


def signs(facts: PageFacts) -> str:
    """Return a letter for each fact that holds at the defaults."""
    known = dict(facts_of(facts.info, facts.measured[:1]))
    return " ".join(letter for letter, title in SIGNS if known.get(title, "no").startswith("yes"))


def catalogue(examined: Sequence[PageFacts], asked: Mapping[str, list[str]]) -> str:
    """Return the table of all losses, and what the filter above it looks at (``catalogue.js``)."""
    rows, entries = [], []
    index = search_index(examined, asked)
    for facts, entry in zip(examined, index, strict=True):
        info, known = facts.info, dict(facts_of(facts.info, facts.measured[:1]))
        prediction, target = takes(info)
        best = known.get("best constant", "–")
        best = "neither mean nor median" if " of a sample " in best else best
        meaning = link(info.summary).removesuffix(".")
        rows.append([pictured(facts), meaning, f"{prediction}; {target}", escape(best), signs(facts)])
        facets = {"family": family_title(info.family), "door": door_of(info.family), "tags": info.tags}
        entries.append({**entry, **facets, "target": target, "hessian": info.has_hessian})
    families = "\n".join(f"   generated/{family}" for family in dict.fromkeys(f.info.family for f in examined))
    listed = table(["loss", "meaning", "takes", "best constant", "facts"], rows, "29 37 13 14 7", "loss-catalogue")
    letters = ", ".join(f"{letter} {title}" for letter, title in SIGNS)
    # A line for each loss: docutils takes no longer ones.
    lines = (json.dumps(entry, separators=(",", ":"), ensure_ascii=False) for entry in entries)
    data = ",\n".join(lines).replace("<", "\\u003c")
    script = f'.. raw:: html\n\n   <script type="application/json" class="loss-index">[\n{indent(data)}]</script>\n'
    legend = (
        f"Pictures: the value and, dashed, the slope, over the prediction or from worse to better ones. Takes: "
        f"prediction; target. Facts, measured at the defaults: {letters}.\n"
    )
    return f"{legend}\n{listed}\n{script}\n.. toctree::\n   :hidden:\n\n{families}\n"


def search_index(examined: Sequence[PageFacts], asked: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Return what losses are found by: the filter of the catalogue and the search box of every page have the same.

    ``asked`` holds for a loss the questions that it is an answer to, by name.
    """
    return [
        {
            "name": info.name,
            "title": title_of(info),
            "aliases": [info.class_name, *info.aliases, *(item.name for item in info.equivalents)],
            "keywords": places_of(info),
            "text": " ".join([info.summary, *info.tags, info.family]).replace("`", ""),
            "asked": asked.get(info.name, []),
            "facts": _in_words(facts),
        }
        for facts in examined
        for info in [facts.info]
    ]


def _in_words(facts: PageFacts) -> str:
    """Return what was measured at the defaults, as short as it can be said."""
    known = dict(facts_of(facts.info, facts.measured[:1]))
    words = {"convex": ("convex", "not convex"), "slope bounded": ("bounded slope", "unbounded slope")}
    found = [yes if known[title] == "yes" else no for title, (yes, no) in words.items() if title in known]
    return ", ".join([*found, "Hessian" if facts.info.has_hessian else "no Hessian"])


def search_script(examined: Sequence[PageFacts], asked: Mapping[str, list[str]]) -> str:
    """Return the index as a script that the search box loads when it is opened."""
    index = json.dumps(search_index(examined, asked), separators=(",", ":"), ensure_ascii=False)
    return f"const losslibIndex = {index};\n"


def migration_table(package: str, examined: list[PageFacts], state: Callable[[EquivalentResult], str]) -> str:
    """Return every call of a package beside losslib's, as the pages of the losses have compared them."""
    rows = []
    for facts in examined:
        for result in facts.equivalents:
            item = result.equivalent
            if item.package != package:
                continue
            arguments = ", ".join(f"{name}={value!r}" for name, value in item.arguments.items())
            here = f":py:func:`~losslib.{facts.info.name}`" + (f" with ``{arguments}``" if arguments else "")
            there = f"``{item.call or item.name}``"
            rows.append([there, here, link(item.note) or "–", state(result)])
    return table(["there", "here", "difference", "compared in this build"], rows, "32 30 22 16", "loss-equivalents")


def family_page(family: str, examined: Sequence[PageFacts]) -> str:
    """Return the page of a family: its story, and a table that compares its losses."""
    title, text = FAMILIES.get(family, (family_title(family), ""))
    listed = "\n".join(f"   {facts.info.name}" for facts in examined)
    drawn = [facts.info.name for facts in examined if facts.info.geometry == "pointwise"]
    if len(drawn) > 1:
        text += f" `Compare some of them <../compare.html?l={','.join(drawn[:3])}>`__ with their parameters."
    return (
        f".. _family-{family}:\n\n{heading(title, '=')}\n{text}\n\nBest constants, convexity and slopes were measured "
        f"with the kernels, at the defaults. Small pictures show the value and, dashed, the slope, over the prediction "
        f"or along the straight way on which the value of a sample falls fastest.\n\n"
        f"{overview(examined)}\n.. toctree::\n   :hidden:\n\n{listed}\n"
    )


def names_page(infos: list[LossInfo]) -> str:
    """Return the table of every name that ``losslib.get`` understands."""
    rows = sorted(
        ([f"``{alias}``", f":py:func:`~losslib.{info.name}`"] for info in infos for alias in info.aliases),
        key=lambda row: row[0].lower(),
    )
    return (
        heading("Other names", "=")
        + "\nEvery function and class name, these aliases, and the function name without ``_loss``, are understood by "
        + ":py:func:`losslib.get` and the command line.\n\n"
        + table(["name", "loss"], rows)
    )
