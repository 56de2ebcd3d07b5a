"""
Thin structures: what each loss of regions finds
================================================

Dark lines a few pixels wide cover a twentieth of a photograph. A model sees it blurred and noisy and has to find them
again, pixel by pixel. The same logistic model is trained with six losses; what changes is how many of the lines it
dares to mark.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage
from scipy.optimize import minimize
from sklearn.datasets import load_sample_image

import losslib

random = np.random.default_rng(0)
picture = load_sample_image("china.jpg")[244:, 128:512].mean(axis=2) / 255.0

# %%
# The truth is made from the clean picture: pixels that a closing with a square of five would make brighter, which are
# lines no wider than that. The model gets the picture blurred and with noise; for each pixel it is told the largest and
# the smallest curvature at four scales. The trees on the right are learned, the temple on the left is judged.

depth = ndimage.black_tophat(picture, size=(5, 5))
truth = (depth > np.quantile(depth, 0.95)).astype(float)
seen = ndimage.gaussian_filter(picture, 0.6) + random.normal(0.0, 0.02, picture.shape)


def features(image):
    columns = [np.ones(image.shape)]
    for scale in (0.7, 1.0, 1.5, 2.5):
        xx, yy, xy = (scale**2 * ndimage.gaussian_filter(image, scale, order) for order in ((0, 2), (2, 0), (1, 1)))
        middle, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
        columns += [20.0 * np.maximum(middle + spread, 0.0), 20.0 * np.maximum(middle - spread, 0.0)]
    return np.stack(columns, axis=-1)


half = picture.shape[1] // 2
everything = features(seen)
learned, judged = np.s_[:, half:], np.s_[:, :half]

# %%
# A loss of regions is called as any other: logits of one image of one class in, value and gradient out; the gradient by
# the weights of the model is a product with the features. Tversky is told that a missed pixel costs twice what a false
# one costs. Cross-entropy comes first and the others start where it ended, since a loss of regions hardly has a slope
# while nothing is marked.

losses = {
    "cross-entropy": losslib.BCEWithLogitsLoss(),
    "Dice": losslib.DiceLoss(axis=None, activation="sigmoid"),
    "Dice + cross-entropy": losslib.DiceCrossEntropyLoss(axis=None, activation="sigmoid"),
    "Tversky": losslib.TverskyLoss(axis=None, activation="sigmoid", alpha=1 / 3, beta=2 / 3),
    "Jaccard": losslib.JaccardLoss(axis=None, activation="sigmoid"),
    "Lovász": losslib.LovaszSoftmaxLoss(axis=None, activation="sigmoid"),
}


def train(loss, start):
    table, target = everything[learned], truth[learned][np.newaxis]

    def objective(weights):
        value, gradient = loss.value_and_grad((table @ weights)[np.newaxis], target)
        return value + 1e-5 * weights @ weights, np.tensordot(gradient[0], table, 2) + 2e-5 * weights

    return minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 60}).x


weights = {}
for name, loss in losses.items():
    weights[name] = train(loss, weights.get("cross-entropy", np.zeros(everything.shape[-1])))

# %%
# Precision is the share of the marked pixels that lie on lines, recall the share of the lines that is marked, IoU what
# both have in common over what either has. Cross-entropy counts every pixel, and nineteen of twenty are no line: where
# it is in doubt it says no, has the best precision and accuracy, and leaves four of ten pixels of the lines out. The
# losses of regions do not count the background. They mark until what more they find no longer pays for what they get
# wrong, and Tversky, which was told that a missed line costs twice, goes on longest.

marks = {name: everything @ w > 0 for name, w in weights.items()}
print(f"{'loss':22}{'precision':>10}{'recall':>9}{'IoU':>8}{'accuracy':>10}")
for name, marked in marks.items():
    right = (marked & (truth > 0))[judged].sum()
    found, present = marked[judged].sum(), int(truth[judged].sum())
    precision = right / found if found else float("nan")
    accuracy = (marked == (truth > 0))[judged].mean()
    print(f"{name:22}{precision:10.1%}{right / present:9.1%}{right / (found + present - right):8.1%}{accuracy:10.1%}")

# %%
# Where a loss marks: right pixels in blue, false ones in orange, missed ones in grey.


def drawn(marked):
    image = np.ones((*truth.shape, 3))
    for where, colour in (
        (marked & (truth > 0), (0.12, 0.37, 0.75)),
        (marked & (truth == 0), (0.95, 0.5, 0.1)),
        (~marked & (truth > 0), (0.75, 0.75, 0.75)),
    ):
        image[where] = colour
    return image[judged]


figure, axes = plt.subplots(2, 3, figsize=(9.0, 6.6), layout="constrained")
shown = {"seen": seen[judged], **{name: drawn(marks[name]) for name in marks if name != "Jaccard"}}
for panel, (name, image) in zip(axes.flat, shown.items(), strict=True):
    panel.imshow(image, cmap="gray", interpolation="nearest")
    panel.set(title=name, xticks=[], yticks=[])
plt.show()
