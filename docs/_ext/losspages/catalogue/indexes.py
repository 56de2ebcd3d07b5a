"""The pages that list losses: by family, by tag, by name."""

from __future__ import annotations

import json
from collections.abc import Callable

from losslib.declaration.keywords import places_of
from losslib.declaration.schema import LossInfo
from losspages.catalogue.titles import title_of
from losspages.checks.equivalents import EquivalentResult
from losspages.checks.examine import PageFacts
from losspages.rst import heading, indent, link, slug, table

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


def overview(infos: list[LossInfo]) -> str:
    rows = [[f":py:func:`~losslib.{i.name}`", link(i.summary), ", ".join(i.tags)] for i in infos]
    return table(["loss", "meaning", "tags"], rows, widths="28 52 20", css="loss-overview")


def catalogue(infos: list[LossInfo]) -> str:
    """Return the table of all losses, and what the filter above it looks at (``catalogue.js``)."""
    rows = [
        [
            f":py:func:`~losslib.{i.name}`",
            link(i.summary),
            FAMILIES[i.family][0] if i.family in FAMILIES else i.family,
            ", ".join(f":ref:`{tag} <{slug(tag)}>`" for tag in i.tags),
        ]
        for i in infos
    ]
    families = "\n".join(f"   generated/{family}" for family in dict.fromkeys(info.family for info in infos))
    listed = table(["loss", "meaning", "family", "tags"], rows, "27 40 15 18", "loss-catalogue")
    index = [
        {
            "name": info.name,
            "title": title_of(info),
            "aliases": [info.class_name, *info.aliases, *(item.name for item in info.equivalents)],
            "keywords": places_of(info),
            "text": " ".join([info.summary, *info.tags, info.family]).replace("`", ""),
        }
        for info in infos
    ]
    # A line for each loss: docutils takes no longer ones.
    lines = (json.dumps(item, separators=(",", ":"), ensure_ascii=False) for item in index)
    data = ",\n".join(lines).replace("<", "\\u003c")
    script = f'.. raw:: html\n\n   <script type="application/json" class="loss-index">[\n{indent(data)}]</script>\n'
    return f"{listed}\n{script}\n.. toctree::\n   :hidden:\n\n{families}\n"


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


def family_page(family: str, infos: list[LossInfo]) -> str:
    title, text = FAMILIES.get(family, (family.capitalize(), ""))
    listed = "\n".join(f"   {info.name}" for info in infos)
    return (
        f".. _family-{family}:\n\n{heading(title, '=')}\n{text}\n\n{overview(infos)}\n"
        f".. toctree::\n   :hidden:\n\n{listed}\n"
    )


def tags_page(infos: list[LossInfo]) -> str:
    tags = sorted({tag for info in infos for tag in info.tags})
    parts = [":orphan:\n", heading("Losses by tag", "=")]
    for tag in tags:
        listed = [f":py:func:`~losslib.{info.name}`" for info in infos if tag in info.tags]
        parts.append(f".. _{slug(tag)}:\n\n{heading(tag)}\n" + ", ".join(listed) + "\n")
    return "\n".join(parts)


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
