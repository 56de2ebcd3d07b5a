"""Reading strings of digits without being told where each digit is: a recogniser trained with CTC in plain NumPy.

    make demo

The data are real: 1797 images of handwritten digits, 8 x 8 pixels, bundled with scikit-learn. Three to six of them are
put side by side with gaps of random width, and only the string is known, not the place of its digits. A network with
one hidden layer looks at a few columns of pixels at a time and scores the ten digits and a blank. CTC sums over all
ways in which the string may lie over the columns and gives the gradient with respect to the scores.

The images are split before they are put together: the strings for testing show digits that training has never seen. The
script prints how the error falls, and saves a picture of what was read where.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ctc_digits_picture import draw
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import losslib

PICTURE = Path(__file__).parent / "output" / "ctc_digits.png"
BLANK, CLASSES = 10, 11
WINDOW = 9  #: columns that the network sees at a frame
MOST = 6  #: digits of the longest string
WIDEST_GAP = 6
SIZE = 8  #: of an image, in pixels

Parameters = list[np.ndarray]


# ---- training: the part that losslib is for ----------------------------------------------------------------------


def train(model: Network, data: Strings, steps: int, samples: int, report: list[Progress], test: Batch) -> None:
    """Draw new strings at every step and follow the gradient with Adam's steps."""
    loss = losslib.CTCLossWithLogits(blank=BLANK)
    first = [np.zeros_like(p) for p in model.parameters]
    second = [np.zeros_like(p) for p in model.parameters]
    start, in_loss = time.perf_counter(), 0.0
    for step in tqdm(range(1, steps + 1), desc="training", unit="step", disable=None, leave=False):
        batch = data.draw(samples)
        logits = model.logits(batch.images)
        before = time.perf_counter()
        # The gradient takes the place of the logits.
        value, gradient = loss.value_and_grad(logits, batch.digits, batch.frames, batch.lengths, out=logits)
        in_loss += time.perf_counter() - before
        size = 0.01 * (1 - step / (steps + 1))
        for p, g, m, v in zip(model.parameters, model.backward(gradient), first, second, strict=True):
            m += 0.1 * (g - m)
            v += 0.01 * (g * g - v)
            p -= size * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.99**step)) + 1e-8)
        if step in checkpoints(steps):
            errors, right = error_rate(model, test)
            report.append(Progress(step, value, errors, right, time.perf_counter() - start, 1e3 * in_loss / step))


def checkpoints(steps: int) -> list[int]:
    """Return the steps after which the held-out strings are read."""
    return sorted({max(1, steps * k // 32) for k in (1, 2, 4, 8, 16, 32)})


@dataclass
class Progress:
    """What is known after a number of steps."""

    step: int
    value: float  # of the last batch: nats for each digit
    errors: float  # edits for each digit of the held-out strings
    right: float  # share of held-out strings without a mistake
    seconds: float
    milliseconds: float  # in the loss, for each step


# ---- the model ---------------------------------------------------------------------------------------------------


class Network:
    """A hidden layer of rectified linear units over a window of columns, moved along the image."""

    def __init__(self, random: np.random.Generator, hidden: int = 96) -> None:
        features = WINDOW * SIZE
        self.parameters: Parameters = [
            random.standard_normal((features, hidden)) * np.sqrt(2 / features),
            np.zeros(hidden),
            random.standard_normal((hidden, CLASSES)) * np.sqrt(1 / hidden),
            np.zeros(CLASSES),
        ]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return scores (T, N, classes) of images (N, height, width): a frame for each column."""
        side = WINDOW // 2
        padded = np.pad(images, ((0, 0), (0, 0), (side, side)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=2)  # (N, height, T, window)
        self.x = windows.transpose(2, 0, 1, 3).reshape(-1, SIZE * WINDOW)
        first, bias1, second, bias2 = self.parameters
        self.hidden = np.maximum(self.x @ first + bias1, 0.0)
        return (self.hidden @ second + bias2).reshape(images.shape[2], images.shape[0], CLASSES)

    def backward(self, gradient: np.ndarray) -> Parameters:
        """Return the gradients of the parameters from that of the logits."""
        rows = gradient.reshape(-1, CLASSES)
        below = (rows @ self.parameters[2].T) * (self.hidden > 0)
        return [self.x.T @ below, below.sum(axis=0), self.hidden.T @ rows, rows.sum(axis=0)]


# ---- data --------------------------------------------------------------------------------------------------------


@dataclass
class Batch:
    """Images of strings, side by side in one array; columns beyond the width of an image are empty."""

    images: np.ndarray  # (N, height, T)
    frames: np.ndarray  # columns of each image
    digits: np.ndarray  # (N, MOST), padded with -1
    lengths: np.ndarray


@dataclass
class Strings:
    """Strings drawn from images of single digits."""

    pixels: np.ndarray  # (images, 8, 8) from 0 to 1
    digits: np.ndarray
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def draw(self, samples: int) -> Batch:
        lengths = self.random.integers(3, MOST + 1, samples)
        chosen = self.random.integers(0, len(self.digits), (samples, MOST))
        gaps = self.random.integers(0, WIDEST_GAP + 1, (samples, MOST + 1))
        images = np.zeros((samples, SIZE, MOST * SIZE + (MOST + 1) * WIDEST_GAP))
        frames = np.empty(samples, np.int64)
        for n, length in enumerate(lengths):
            column = gaps[n, 0]
            for k in range(length):
                images[n, :, column : column + SIZE] = self.pixels[chosen[n, k]]
                column += SIZE + gaps[n, k + 1]
            frames[n] = column
        digits = np.where(np.arange(MOST) < lengths[:, np.newaxis], self.digits[chosen], -1)
        return Batch(images[:, :, : frames.max()], frames, digits, lengths)


def strings(seed: int) -> tuple[Strings, Strings]:
    """Split the images, two thirds for training; strings are made of one part alone."""
    data = load_digits()
    parts = train_test_split(data.images / 16, data.target, test_size=1 / 3, stratify=data.target, random_state=seed)
    return (
        Strings(parts[0], parts[2], np.random.default_rng(seed)),
        Strings(parts[1], parts[3], np.random.default_rng(seed + 1)),
    )


# ---- reading -----------------------------------------------------------------------------------------------------


def error_rate(model: Network, batch: Batch) -> tuple[float, float]:
    """Return edits for each digit, and the share of strings that are read without a mistake."""
    read, _ = losslib.ctc_greedy_decode(model.logits(batch.images), batch.frames, blank=BLANK)
    edits = [
        edit_distance(found, target[:length])
        for found, target, length in zip(read, batch.digits, batch.lengths, strict=True)
    ]
    return sum(edits) / int(batch.lengths.sum()), sum(edit == 0 for edit in edits) / len(edits)


def edit_distance(found: np.ndarray, target: np.ndarray) -> int:
    """Return the fewest insertions, deletions and replacements that make one sequence of the other."""
    row = list(range(len(target) + 1))
    for i, a in enumerate(found, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(target, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


# ---- the experiment ----------------------------------------------------------------------------------------------


def table(report: list[Progress], samples: int) -> str:
    """Return what was learnt when."""
    lines = [
        "Errors on strings of unseen images: edits for each digit, and strings without any",
        "",
        f"{'strings seen':>14}{'loss a digit':>14}{'digit errors':>14}{'strings right':>15}{'seconds':>9}",
    ]
    lines += [
        f"{one.step * samples:>14}{one.value:>14.3f}{one.errors:>14.1%}{one.right:>15.1%}{one.seconds:>9.1f}"
        for one in report
    ]
    last = report[-1]
    share = last.milliseconds * last.step / last.seconds / 1e3
    lines += ["", f"CTC took {last.milliseconds:.2f} ms of each step, {share:.0%} of the time"]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a recogniser of digit strings with CTC.")
    parser.add_argument("--steps", type=int, default=1200, help="steps of the training; default: 1200")
    parser.add_argument("--samples", type=int, default=32, help="strings of each step; default: 32")
    parser.add_argument("--seed", type=int, default=0, help="of images, strings and model; default: 0")
    parser.add_argument("--picture", type=Path, default=PICTURE, metavar="PATH", help="where to save the picture")
    options = parser.parse_args()

    data, held_out = strings(options.seed)
    test = held_out.draw(300)
    print(
        f"losslib {losslib.__version__}: strings of 3 to {MOST} handwritten digits; {len(data.digits)} images to train"
    )
    print(f"on, {len(test.lengths)} strings of {len(held_out.digits)} other images to test\n")
    model = Network(np.random.default_rng(options.seed))
    report: list[Progress] = []
    train(model, data, options.steps, options.samples, report, test)
    print(table(report, options.samples))
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    draw(options.picture, model, test, report)
    print(f"\npicture: {options.picture}")


if __name__ == "__main__":
    main()
