"""The sidebar of losses and families: the seven doors, and behind the own one the own family alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sphinx.application import Sphinx

from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.catalogue.indexes import DOORS, door_of, family_title
from losspages.catalogue.titles import title_of

__all__ = ["TEMPLATE", "doors_of", "replace"]

TEMPLATE = "loss-sidebar.html"


#: Pages beside those of the losses, in the order of the sidebar.
BESIDE = ("compare", "explain", "outlier", "cheatsheet", "generated/portraits", "generated/names")


def doors_of(name: str, infos: Sequence[LossInfo]) -> list[dict[str, Any]]:
    """Return what the template shows beside a page: all doors, and the own family of a loss or of a family."""
    families = list(dict.fromkeys(info.family for info in infos))
    own = next((info.family for info in infos if name in (info.name, info.family)), None)
    behind = {family: door_of(family) for family in families}
    found = []
    for door in dict.fromkeys([*(door for door in DOORS if door in behind.values()), *behind.values()]):
        members = [family for family in families if behind[family] == door]
        listed = [
            {
                "name": family,
                "title": family_title(family),
                "count": sum(info.family == family for info in infos),
                "here": family == own,
                "current": family == name,
            }
            for family in members
        ]
        losses = [
            {"name": info.name, "title": title_of(info), "current": info.name == name}
            for info in infos
            if own in members and info.family == own
        ]
        found.append(
            {
                "title": door,
                "value": door if len(members) > 1 else family_title(members[0]),
                "count": sum(one["count"] for one in listed),
                "here": own in members,
                "families": listed,
                "losses": losses,
            }
        )
    return found


def replace(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Put the doors in the place of the theme's tree, which would list every family on every page."""
    infos = list(registry.all_losses())
    name = pagename.removeprefix("generated/")
    pages = {*BESIDE, *(f"generated/{name}" for info in infos for name in (info.name, info.family))}
    if pagename in pages and "sidebars" in context:
        context["loss_doors"] = doors_of(name, infos)
        titles = app.env.titles
        context["loss_tools"] = [
            {"name": one, "title": titles[one].astext(), "current": one == pagename} for one in BESIDE if one in titles
        ]
        context["sidebars"] = [TEMPLATE if "sidebar-nav" in one else one for one in context["sidebars"]]
