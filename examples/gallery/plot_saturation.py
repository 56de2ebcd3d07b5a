"""
Why cross entropy: the sigmoid that stops learning
==================================================

A classifier that is wrong and sure of it should learn fastest. With the squared error behind a sigmoid it learns
slowest: the slope of the sigmoid, a factor of its gradient, is nearly 0 there. In the gradient of the cross entropy
that factor cancels.
"""

import matplotlib.pyplot as plt
import numpy as np

import losslib

# %%
# The gradient with respect to the logit of a positive sample. For the squared error the chain rule is written out:
# the loss gives the derivative with respect to the probability, the sigmoid brings its own slope.

logit = np.linspace(-10.0, 6.0, 400)
target = np.ones_like(logit)


def squared_error_gradient(logit, target):
    probability = 1.0 / (1.0 + np.exp(-logit))
    return losslib.mse_loss.grad(probability, target, reduction="sum") * probability * (1.0 - probability)


gradients = {
    "cross entropy": losslib.binary_cross_entropy_with_logits.grad(logit, target, reduction="sum"),
    "squared error": squared_error_gradient(logit, target),
}

# %%
# One weight, started at a confident mistake, 500 equal steps of each.

paths = {}
for name in gradients:
    x, path = np.array([-8.0]), []
    for _ in range(500):
        path.append(x[0])
        if name == "cross entropy":
            x = x - 0.3 * losslib.binary_cross_entropy_with_logits.grad(x, np.ones(1))
        else:
            x = x - 0.3 * squared_error_gradient(x, np.ones(1))
    paths[name] = 1.0 / (1.0 + np.exp(-np.array(path)))
    reached = np.flatnonzero(paths[name] > 0.5)
    print(f"{name}: " + (f"right after {reached[0]} steps" if reached.size else f"still at {paths[name][-1]:.4f}"))

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for name, gradient in gradients.items():
    left.plot(logit, gradient, label=name)
    right.plot(paths[name], label=name)
left.set(xlabel="logit of a positive sample", ylabel="gradient", title="how hard a mistake pulls")
right.set(xlabel="step", ylabel="probability", title="from a confident mistake")
left.legend()
plt.show()
