"""Robust regression without a framework: what a loss does about outliers.

    make demo

The data are real: images of 569 breast masses, bundled with scikit-learn. In each image the concavity of the
cell nuclei was measured: its mean and its standard error. The error is predicted from the mean. It grows and
spreads with the mean, and a few images lie far off; nothing was added or corrupted.

A curve is four numbers, the weights of a cubic polynomial. Training them takes a loss with its gradient and
an optimiser: SciPy's L-BFGS-B where the gradient is continuous, plain gradient descent where it jumps (L1 and
quantiles). The script prints the errors on held-out data and saves a picture.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from robust_regression_picture import draw
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import KFold
from tqdm import tqdm

import losslib

PICTURE = Path(__file__).parent / "output" / "robust_regression.png"

CENTRES = {
    "L2": losslib.MSELoss(),
    "L1": losslib.L1Loss(),
    "Huber": losslib.HuberLoss(delta=1.0),
    "log-cosh": losslib.LogCoshLoss(),
}
BANDS = {f"quantile {q}": losslib.QuantileLoss(quantile=q) for q in (0.1, 0.5, 0.9)}


# ---- training: the part that losslib is for --------------------------------------------------------------


@dataclass(frozen=True)
class Fit:
    """A trained curve and what the training took."""

    features: Cubic
    weights: np.ndarray
    steps: int
    seconds: float
    optimiser: str

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.features(x) @ self.weights


def train(loss: losslib.Loss, x: np.ndarray, target: np.ndarray) -> Fit:
    """Fit the weights of a curve: ``prediction = features(x) @ weights``."""
    cubic = Cubic(x)
    features = cubic(x)
    gradient = np.empty_like(target)  # with respect to the prediction; used again in every step

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        value, _ = loss.value_and_grad(features @ weights, target, out=gradient)
        return value, features.T @ gradient  # the chain rule

    start = time.perf_counter()
    if isinstance(loss, losslib.L1Loss | losslib.QuantileLoss):
        optimiser = "gradient descent"
        weights, steps = gradient_descent(objective, np.zeros(4))
    else:
        optimiser = "L-BFGS-B"
        result = minimize(objective, np.zeros(4), method="L-BFGS-B", jac=True)
        weights, steps = result.x, result.nit
    return Fit(cubic, weights, steps, time.perf_counter() - start, optimiser)


def gradient_descent(
    objective: Callable[[np.ndarray], tuple[float, np.ndarray]], weights: np.ndarray, steps: int = 3000
) -> tuple[np.ndarray, int]:
    """Descend with steps that shrink geometrically, for a slope that jumps at the minimum and never fades.

    Ends within 2e-6 of the minimum that linear programming finds for the three quantiles.
    """
    for size in np.geomspace(10.0, 1e-4, steps):
        _, gradient = objective(weights)
        weights = weights - size * gradient
    return weights, steps


# ---- data and model --------------------------------------------------------------------------------------


def measurements() -> tuple[np.ndarray, np.ndarray]:
    """Return mean concavity and its standard error, the latter in hundredths."""
    data = load_breast_cancer()
    names = list(data.feature_names)
    mean = data.data[:, names.index("mean concavity")]
    error = data.data[:, names.index("concavity error")]
    return mean, 100.0 * error


class Cubic:
    """The features 1, x, x², x³, made orthogonal on the training data so that gradient descent is quick."""

    def __init__(self, x: np.ndarray) -> None:
        _, triangle = np.linalg.qr(np.vander(x, 4))
        self.whitening = np.linalg.inv(triangle) * np.sqrt(len(x))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.vander(x, 4) @ self.whitening


# ---- the experiment --------------------------------------------------------------------------------------


@dataclass
class Result:
    """A loss after cross-validation: errors where it was not trained, and the curve trained on everything."""

    name: str
    loss: losslib.Loss
    held_out: np.ndarray  # prediction - target, each from the fold that had not seen it
    fits: list[Fit]  # the last one on all data

    @property
    def mae(self) -> float:
        return losslib.l1_loss(self.held_out, 0.0)

    @property
    def rmse(self) -> float:
        return losslib.mse_loss(self.held_out, 0.0) ** 0.5

    @property
    def median(self) -> float:
        return float(np.median(np.abs(self.held_out)))

    @property
    def below(self) -> float:
        """Share of the targets below the curve."""
        return float(np.mean(self.held_out > 0))


def cross_validate(x: np.ndarray, y: np.ndarray, folds: int, seed: int) -> dict[str, Result]:
    """Train every loss on every fold, and on all data."""
    parts = list(KFold(folds, shuffle=True, random_state=seed).split(x))
    everything = np.arange(len(x))
    losses = CENTRES | BANDS
    results = {name: Result(name, loss, np.empty_like(y), []) for name, loss in losses.items()}
    # disable=None: silent when nobody watches
    with tqdm(total=len(losses) * (folds + 1), desc="training", unit="fit", disable=None, leave=False) as bar:
        for result in results.values():
            for training, held_out in [*parts, (everything, everything[:0])]:
                fit = train(result.loss, x[training], y[training])
                result.held_out[held_out] = fit.predict(x[held_out]) - y[held_out]
                result.fits.append(fit)
                bar.update()
    return results


def report(results: dict[str, Result], folds: int) -> str:
    """Return the tables."""
    centres = [results[name] for name in CENTRES]
    lines = [
        f"Errors on held-out data ({folds} folds), in hundredths; * is the best of its column",
        "",
        f"{'loss':10}{'MAE':>9}{'RMSE':>9}{'median':>9}   {'optimiser':18}{'steps':>6}{'ms per fit':>12}",
    ]
    for result in centres:
        cells = []
        for measure in ("mae", "rmse", "median"):
            value = getattr(result, measure)
            best = value == min(getattr(other, measure) for other in centres)
            cells.append(f"{value:8.3f}{'*' if best else ' '}")
        lines.append(f"{result.name:10}{''.join(cells)}   {_effort(result)}")
    lines += [
        "",
        f"{'band':14}{'below the curve':>22}{'wanted':>9}    {'optimiser':18}{'steps':>6}{'ms per fit':>12}",
    ]
    for name, loss in BANDS.items():
        lines.append(f"{name:14}{results[name].below:>22.1%}{loss.quantile:>9.0%}    {_effort(results[name])}")
    lines.append(f"{'0.1 to 0.9':14}{coverage(results):>22.1%}{0.8:>9.0%}")
    return "\n".join(lines)


def coverage(results: dict[str, Result]) -> float:
    """Return the share of held-out targets between the outer curves."""
    low, high = results["quantile 0.1"].held_out, results["quantile 0.9"].held_out
    return float(np.mean((low <= 0) & (high >= 0)))


def _effort(result: Result) -> str:
    milliseconds = 1e3 * float(np.median([fit.seconds for fit in result.fits]))
    return f"{result.fits[-1].optimiser:18}{result.fits[-1].steps:>6}{milliseconds:>12.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare losses on real data with outliers.")
    parser.add_argument("--folds", type=int, default=5, help="parts of the cross-validation; default: 5")
    parser.add_argument("--seed", type=int, default=0, help="how the data are split; default: 0")
    parser.add_argument("--picture", type=Path, default=PICTURE, metavar="PATH", help="where to save the picture")
    options = parser.parse_args()

    x, y = measurements()
    quarter, middle, three = np.percentile(y, [25, 50, 75])
    print(f"losslib {losslib.__version__}: concavity error of cell nuclei from the mean, {len(x)} images")
    print(f"target: median {middle:.2f}, interquartile range {three - quarter:.2f}, largest {y.max():.1f}\n")
    results = cross_validate(x, y, options.folds, options.seed)
    print(report(results, options.folds))
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    draw(
        options.picture,
        x,
        y,
        centres=CENTRES,
        curves={name: result.fits[-1].predict for name, result in results.items()},
        held_out={name: result.held_out for name, result in results.items()},
        coverage=coverage(results),
    )
    print(f"\npicture: {options.picture}")


if __name__ == "__main__":
    main()
