"""
Ranking: one model, five objectives
===================================

Each list holds handwritten digits; the best ones are those most like a nine. A linear model scores them, and is trained
with losses that look at a list in different ways: item by item, pair by pair, pairs weighted by ranks, the whole list
at once, or the metric itself. What is measured is the NDCG of lists that were not trained on.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_digits

import losslib

LISTS, ITEMS, PIXELS = 160, 30, 64
GRADES = np.array([0, 0, 0, 1, 1, 0, 0, 2, 2, 4])  # of the digits 0, 1, ..., 9: how much it is like a nine

random = np.random.default_rng(0)
pictures, digits = load_digits(return_X_y=True)
chosen = random.integers(0, len(digits), (LISTS, ITEMS))
features = pictures[chosen] / 16.0 + random.normal(
    0.0, 0.6, (LISTS, ITEMS, PIXELS)
)  # noisy, so that no model is perfect
grades = GRADES[digits[chosen]].astype(float)
train, test = slice(0, LISTS // 2), slice(LISTS // 2, LISTS)

# %%
# A list is the last axis of an array of scores; the gradient has the same shape, and the chain rule carries it to the
# weights of the model. A small penalty keeps them small.


def fit(loss):
    def objective(weights):
        value, gradient = loss.value_and_grad(features[train] @ weights, grades[train])
        slope = np.einsum("lif,li->f", features[train], gradient)
        return value + 1e-3 * weights @ weights, slope + 2e-3 * weights

    return minimize(objective, 0.01 * random.normal(size=PIXELS), jac=True, method="L-BFGS-B").x


def ndcg(scores, labels, ranks):
    gains, discounts = 2.0**labels - 1.0, 1.0 / np.log2(2.0 + np.arange(ranks))
    order = np.argsort(-scores, axis=1, kind="stable")[:, :ranks]
    best = np.sort(gains, axis=1)[:, ::-1][:, :ranks]
    return np.mean((np.take_along_axis(gains, order, 1) @ discounts) / (best @ discounts))


losses = {
    "items: mse_loss": losslib.MSELoss(),
    "pairs: pairwise_logistic_loss": losslib.PairwiseLogisticLoss(),
    "pairs by rank: ndcg2 weights": losslib.PairwiseLogisticLoss(pair_weight="ndcg2"),
    "lists: listwise_softmax_loss": losslib.ListwiseSoftmaxLoss(target_transform="normalize"),
    "metric: approx_ndcg_loss": losslib.ApproxNDCGLoss(temperature=0.5),
}
found = {}
for name, loss in losses.items():
    weights = fit(loss)
    found[name] = [ndcg(features[test] @ weights, grades[test], ranks) for ranks in (1, 5, 10, 30)]
    print(f"{name:32} " + "  ".join(f"{value:.3f}" for value in found[name]))

# %%
# On the left the NDCG of the first ranks; on the right where two of the losses put their force: minus the gradient of
# the items of one list, in the order of their scores. Pairs pull on everything that is out of order, pairs weighted by
# ranks mostly on the top of the list.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for name, values in found.items():
    left.plot(["1", "5", "10", "30"], values, "o-", label=name)
left.set(xlabel="ranks that count", ylabel="NDCG", title="lists not trained on")
left.legend(fontsize="small")

scores = features[0] @ fit(losses["items: mse_loss"]) + random.normal(0.0, 0.5, ITEMS)
order = np.argsort(-scores)
places = np.arange(1, ITEMS + 1)
for offset, weight in ((-0.2, "none"), (0.2, "ndcg2")):
    slope = losslib.pairwise_logistic_loss.grad(scores[order], grades[0][order], pair_weight=weight, reduction="sum")
    right.bar(places + offset, -slope / abs(slope).max(), 0.4, label=f'pair_weight="{weight}"')
for place, grade in zip(places, grades[0][order], strict=True):
    right.annotate(f"{grade:g}", (place, -1.15), ha="center", fontsize="x-small")
right.set(xlabel="rank (below the bars: grade)", title="minus the gradient", ylim=(-1.25, 1.1))
right.legend(fontsize="small")
plt.show()
