"""
Imbalanced classes: plain, weighted, balanced and focal
=======================================================

Two clouds of points overlap, and one is twenty times rarer. The same linear softmax classifier is trained with four
losses; what changes is where it draws the line, and whether its probabilities can be believed.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

import losslib

random = np.random.default_rng(2)


def draw(common, rare):
    x = np.vstack([random.normal(0.0, 1.0, (common, 2)), random.normal(1.6, 1.0, (rare, 2))])
    return np.column_stack([np.ones(len(x)), x]), np.repeat([0, 1], [common, rare])


features, target = draw(2000, 100)
new_features, new_target = draw(20_000, 1000)
count = np.bincount(target)

# %%
# *Weighted* multiplies the rare class by a number that was chosen; *balanced* takes the inverse of the frequencies;
# *focal* fades what is already right, whichever class it is of.

losses = {
    "plain": losslib.CrossEntropyLoss(),
    "weighted": losslib.CrossEntropyLoss(weight=np.array([1.0, 5.0])),
    "balanced": losslib.CrossEntropyLoss(weight=len(target) / (2.0 * count)),
    "focal": losslib.SoftmaxFocalLoss(gamma=2.0),
}


def train(loss):
    def objective(flat):
        value, gradient = loss.value_and_grad(features @ flat.reshape(3, 2), target)
        return value + 1e-4 * flat @ flat, (features.T @ gradient).ravel() + 2e-4 * flat

    return minimize(objective, np.zeros(6), jac=True, method="L-BFGS-B").x.reshape(3, 2)


weights = {name: train(loss) for name, loss in losses.items()}

# %%
# Recall is the share of the rare points that are found, precision the share of the found ones that are rare. The last
# column is the cross entropy of the probabilities on new data: the plain loss, which is proper, has the smallest.
# Focal moves the line hardly at all here: it fades samples that are right with certainty, of both classes alike, and
# what shifts a line between classes that overlap is a weight. It was made for detectors, where the certain background
# samples outnumber all others by a thousand to one.

print(f"{'loss':10}{'recall':>9}{'precision':>11}{'new cross entropy':>20}")
for name, w in weights.items():
    logits = new_features @ w
    found = logits[:, 1] > logits[:, 0]
    recall = found[new_target == 1].mean()
    precision = (new_target[found] == 1).mean() if found.any() else float("nan")
    print(f"{name:10}{recall:9.1%}{precision:11.1%}{losslib.cross_entropy(logits, new_target):20.4f}")

figure, axes = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
for k, colour in ((0, "0.7"), (1, "C3")):
    axes.plot(*features[target == k, 1:].T, ".", color=colour, markersize=4, label=("common", "rare")[k])
x = np.linspace(-3.5, 5.0, 2)
for k, (name, w) in enumerate(weights.items()):
    bias, slope_x, slope_y = w[:, 1] - w[:, 0]
    axes.plot(x, -(bias + slope_x * x) / slope_y, f"C{(0, 1, 2, 4)[k]}", label=name)
axes.set(xlim=(-3.5, 5.0), ylim=(-3.5, 5.0), title="where each loss draws the line")
axes.legend()
plt.show()
