"""From the page of a loss one finds the stories that use it."""

from __future__ import annotations

from docs.visiting import SITE, Visit
from losspages.catalogue import stories


def test_every_story_is_found_from_a_loss() -> None:
    linked = {name for found in stories.by_loss().values() for name, _ in found}
    assert linked == {path.stem for path in stories.FOLDER.glob("plot_*.py")}
    assert [name for name, _ in stories.by_loss()["cumulative_link_loss"]] == ["plot_ordered_classes"]


def test_pages_lead_to_their_stories() -> None:
    for loss, found in stories.by_loss().items():
        text = (SITE / "generated" / f"{loss}.html").read_text()
        assert all(f'href="../gallery/{name}.html"' in text for name, _ in found), loss


def test_a_story_opens_from_the_page_of_a_loss(visit: Visit) -> None:
    page = visit.open("generated/supcon_loss.html")
    page.get_by_role("link", name="Embeddings: a classifier, ArcFace and SupCon").first.click()
    assert page.url.endswith("gallery/plot_embeddings.html")
