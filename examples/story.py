"""Stories of the gallery without the documentation: what they print, and their figures in examples/output/.

python examples/story.py thin_structures embeddings
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

HERE = Path(__file__).parent


def tell(name: str) -> None:
    """Run the story of this name, and save its figures where it would show them."""

    def save() -> None:
        for number in plt.get_fignums():
            path = HERE / "output" / (f"{name}.png" if number == 1 else f"{name}_{number}.png")
            path.parent.mkdir(exist_ok=True)
            plt.figure(number).savefig(path, dpi=120)
            print(f"\nwrote {path}")
        plt.close("all")

    plt.show = save
    runpy.run_path(str(HERE / "gallery" / f"plot_{name}.py"))


if __name__ == "__main__":
    matplotlib.use("Agg")
    known = sorted(path.stem.removeprefix("plot_") for path in (HERE / "gallery").glob("plot_*.py"))
    if not sys.argv[1:] or not set(sys.argv[1:]) <= set(known):
        sys.exit(f"usage: python examples/story.py NAME ...\nnames: {', '.join(known)}")
    for place, story in enumerate(sys.argv[1:]):
        print(f"{chr(10) * bool(place)}{story.replace('_', ' ')}\n")
        tell(story)
