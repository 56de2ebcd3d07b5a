"""Classification without a framework: what a loss does about rare classes.

    make demo

The data are real: 1797 images of handwritten digits, 8 x 8 pixels, bundled with scikit-learn. Half of them are kept for
testing. The training half is made imbalanced on purpose: the higher the digit, the fewer images stay, from about 90
zeros down to five nines.

Two models are trained in plain NumPy: a softmax classifier (one matrix) and a network with one hidden layer. The loss
gives the gradient with respect to the logits, the chain rule does the rest. The script prints the accuracy for each
digit on the test images, which are balanced, and saves a picture.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from digits_classifier_picture import draw
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import losslib

PICTURE = Path(__file__).parent / "output" / "digits_classifier.png"
CLASSES = 10
FEWEST = 5  #: training images of the rarest digit

Parameters = list[np.ndarray]


# ---- training: the part that losslib is for ----------------------------------------------------------------------


def losses_for(counts: np.ndarray) -> dict[str, losslib.Loss]:
    """Return the losses to compare; the weights of the classes are the inverse of their counts."""
    weight = counts.mean() / counts
    return {
        "cross entropy": losslib.CrossEntropyLoss(),
        "label smoothing 0.1": losslib.CrossEntropyLoss(label_smoothing=0.1),
        "focal, gamma 2": losslib.SoftmaxFocalLoss(gamma=2.0),
        "class weights": losslib.CrossEntropyLoss(weight=weight),
        "focal + class weights": losslib.SoftmaxFocalLoss(gamma=2.0, alpha=weight),
    }


def train(
    model: SoftmaxClassifier | Network, loss: losslib.Loss, x: np.ndarray, target: np.ndarray, steps: int
) -> None:
    """Descend along the whole batch, with Adam's steps and a little weight decay."""
    first = [np.zeros_like(p) for p in model.parameters]
    second = [np.zeros_like(p) for p in model.parameters]
    for step in range(1, steps + 1):
        logits = model.logits(x)
        gradient = loss.grad(logits, target, out=logits)  # overwrites the logits: nothing of size N x C is allocated
        size = 0.02 * (1 - step / (steps + 1))
        for p, g, m, v in zip(model.parameters, model.backward(gradient), first, second, strict=True):
            m += 0.1 * (g - m)
            v += 0.01 * (g * g - v)
            p -= size * ((m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.99**step)) + 1e-8) + 1e-2 * p)


# ---- models ------------------------------------------------------------------------------------------------------


class SoftmaxClassifier:
    """Logits from one matrix: ``x @ weights + bias``."""

    name = "softmax classifier"

    def __init__(self, features: int, random: np.random.Generator) -> None:
        self.parameters: Parameters = [0.01 * random.standard_normal((features, CLASSES)), np.zeros(CLASSES)]

    def logits(self, x: np.ndarray) -> np.ndarray:
        self.x = x
        weights, bias = self.parameters
        return x @ weights + bias

    def backward(self, gradient: np.ndarray) -> Parameters:
        """Return the gradients of the parameters from that of the logits."""
        return [self.x.T @ gradient, gradient.sum(axis=0)]


class Network:
    """A hidden layer of rectified linear units before the softmax."""

    name = "network, 64-48-10"

    def __init__(self, features: int, random: np.random.Generator, hidden: int = 48) -> None:
        self.parameters: Parameters = [
            random.standard_normal((features, hidden)) * np.sqrt(2 / features),
            np.zeros(hidden),
            random.standard_normal((hidden, CLASSES)) * np.sqrt(1 / hidden),
            np.zeros(CLASSES),
        ]

    def logits(self, x: np.ndarray) -> np.ndarray:
        first, bias1, second, bias2 = self.parameters
        self.x, self.hidden = x, np.maximum(x @ first + bias1, 0.0)
        return self.hidden @ second + bias2

    def backward(self, gradient: np.ndarray) -> Parameters:
        """Return the gradients of the parameters from that of the logits."""
        below = (gradient @ self.parameters[2].T) * (self.hidden > 0)
        return [self.x.T @ below, below.sum(axis=0), self.hidden.T @ gradient, gradient.sum(axis=0)]


MODELS = (SoftmaxClassifier, Network)


# ---- data --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """Imbalanced training images and balanced test images, pixels scaled to [-1, 1]."""

    x: np.ndarray
    target: np.ndarray
    test_x: np.ndarray
    test_target: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Training images of each digit."""
        return np.bincount(self.target, minlength=CLASSES)


def split(seed: int) -> Split:
    """Halve the data, and thin the training half out: geometrically fewer images from digit 0 to digit 9."""
    pixels, digits = load_digits(return_X_y=True)
    x, test_x, target, test_target = train_test_split(
        pixels / 8 - 1, digits, test_size=0.5, stratify=digits, random_state=seed
    )
    most = np.bincount(target)[0]
    kept = np.geomspace(most, FEWEST, CLASSES).round().astype(int)
    rows = np.concatenate([np.flatnonzero(target == digit)[:count] for digit, count in enumerate(kept)])
    return Split(x[rows], target[rows], test_x, test_target)


# ---- the experiment ----------------------------------------------------------------------------------------------


@dataclass
class Result:
    """A model and a loss, averaged over the splits."""

    model: str
    loss: str
    accuracy: np.ndarray  # for each digit
    confidence: float  # mean probability of the predicted digit
    true_probability: np.ndarray  # what the true digit got, for each test image of each split
    milliseconds: float

    @property
    def mean(self) -> float:
        return float(self.accuracy.mean())

    @property
    def rare(self) -> float:
        """Accuracy over the three rarest digits."""
        return float(self.accuracy[-3:].mean())


def run(splits: list[Split], steps: int) -> list[Result]:
    """Train every model with every loss on every split."""
    names = list(losses_for(splits[0].counts))
    results = []
    # disable=None: silent when nobody watches
    with tqdm(
        total=len(MODELS) * len(names) * len(splits), desc="training", unit="fit", disable=None, leave=False
    ) as bar:
        for kind in MODELS:
            for name in names:
                accuracy, confidence, probability, seconds = [], [], [], []
                for seed, data in enumerate(splits):
                    model = kind(data.x.shape[1], np.random.default_rng(seed))
                    start = time.perf_counter()
                    train(model, losses_for(data.counts)[name], data.x, data.target, steps)
                    seconds.append(time.perf_counter() - start)
                    p = probabilities(model.logits(data.test_x))
                    right = p.argmax(axis=1) == data.test_target
                    accuracy.append([right[data.test_target == digit].mean() for digit in range(CLASSES)])
                    confidence.append(p.max(axis=1).mean())
                    probability.append(p[np.arange(len(p)), data.test_target])
                    bar.update()
                results.append(
                    Result(
                        kind.name,
                        name,
                        np.mean(accuracy, axis=0),
                        float(np.mean(confidence)),
                        np.concatenate(probability),
                        1e3 * float(np.median(seconds)),
                    )
                )
    return results


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of each row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def report(results: list[Result], counts: np.ndarray) -> str:
    """Return the table of accuracies."""
    lines = [
        "Accuracy on the test images in percent, for each digit; * is the best mean of its model",
        "'rare': digits 7 to 9; 'sure': mean probability of the predicted digit, which should equal the mean",
        "",
        f"{'digit':22}"
        + "".join(f"{digit:>5}" for digit in range(CLASSES))
        + f"{'mean':>8}{'rare':>7}{'sure':>7}{'ms':>7}",
        f"{'training images':22}" + "".join(f"{count:>5}" for count in counts),
    ]
    for kind in MODELS:
        group = [result for result in results if result.model == kind.name]
        best = max(result.mean for result in group)
        lines += ["", kind.name]
        for result in group:
            cells = "".join(f"{value:5.0%}".replace("%", "").rjust(5) for value in result.accuracy)
            mark = "*" if result.mean == best else " "
            lines.append(
                f"  {result.loss:20}{cells}{100 * result.mean:>7.1f}{mark}{100 * result.rare:>6.1f}"
                f"{100 * result.confidence:>7.1f}{result.milliseconds:>7.0f}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare losses on images with rare classes.")
    parser.add_argument("--splits", type=int, default=5, help="how many times the data are split; default: 5")
    parser.add_argument("--steps", type=int, default=300, help="steps of each training; default: 300")
    parser.add_argument("--picture", type=Path, default=PICTURE, metavar="PATH", help="where to save the picture")
    options = parser.parse_args()

    splits = [split(seed) for seed in range(options.splits)]
    data = splits[0]
    print(f"losslib {losslib.__version__}: handwritten digits, {len(data.x)} images to train on")
    print(f"and {len(data.test_x)} to test; means over {options.splits} splits of the data\n")
    results = run(splits, options.steps)
    print(report(results, data.counts))
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    draw(options.picture, results, losses_for(data.counts), data)
    print(f"\npicture: {options.picture}")


if __name__ == "__main__":
    main()
