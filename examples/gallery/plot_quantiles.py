"""
Quantile bands around a sine
============================

A prediction interval needs no assumption about the noise: two quantile losses, trained one by one, give its lower and
upper edge. The noise here grows along the way, and so does the band.
"""

import matplotlib.pyplot as plt
import numpy as np

import losslib

random = np.random.default_rng(1)


def draw(count):
    x = np.sort(random.uniform(0.0, 2.0 * np.pi, count))
    return x, np.sin(x) + (0.1 + 0.08 * x) * random.standard_normal(count)


def features(x):
    return np.column_stack([np.ones_like(x), x / np.pi - 1] + [f(k * x) for k in (1, 2) for f in (np.sin, np.cos)])


x, y = draw(1500)
matrix = features(x)

# %%
# The gradient of a quantile loss has two values, ``-quantile`` and ``1 - quantile``, and never fades: gradient descent
# needs steps that shrink. ``out`` keeps one buffer for all of them.


def train(quantile, steps=4000):
    loss = losslib.QuantileLoss(quantile=quantile)
    weights, gradient = np.zeros(matrix.shape[1]), np.empty_like(y)
    for size in np.geomspace(1.0, 1e-3, steps):
        weights -= size * (matrix.T @ loss.grad(matrix @ weights, y, out=gradient))
    return weights


quantiles = (0.05, 0.5, 0.95)
curves = {q: train(q) for q in quantiles}

# %%
# On new data each curve should have its share of the points below it, and the outer ones 90 % between them.

new_x, new_y = draw(20_000)
predicted = {q: features(new_x) @ weights for q, weights in curves.items()}
for q in quantiles:
    print(f"below the {q:.2f} quantile: {np.mean(new_y < predicted[q]):.1%}")
inside = (new_y > predicted[0.05]) & (new_y < predicted[0.95])
print(f"inside the band: {inside.mean():.1%}")

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.plot(x, y, ".", markersize=2, color="0.6")
axes.fill_between(x, matrix @ curves[0.05], matrix @ curves[0.95], alpha=0.25, label="5 % to 95 %")
axes.plot(x, matrix @ curves[0.5], label="median")
axes.set(xlabel="x", ylabel="y", title="a band from two quantile losses")
axes.legend()
plt.show()
