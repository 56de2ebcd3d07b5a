"""
Outliers: L1 against L2 against Huber
=====================================

One line is fitted three times to the same points, a tenth of which are wrong. What a loss does about them can be read
off its gradient: an error of 20 pulls 20 times as hard as an error of 1 under the squared error, just as hard under the
absolute error, and at most ``delta`` under Huber's.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

import losslib

random = np.random.default_rng(0)
x = np.sort(random.uniform(0.0, 10.0, 80))
y = 1.0 + 0.5 * x + random.normal(0.0, 0.4, x.size)
wrong = random.choice(x.size // 2, 8, replace=False) + x.size // 2
y[wrong] += random.uniform(8.0, 15.0, wrong.size)

# %%
# A model is a matrix and the chain rule: the loss gives the gradient with respect to the predictions, the transposed
# matrix carries it to the weights. L-BFGS asks for a continuous gradient; L1 has a jump at 0, so it is approached by
# Huber losses with ever smaller ``delta``, each divided by ``delta`` (:func:`losslib.smooth_l1_loss`).

features = np.column_stack([np.ones_like(x), x])


def fit(loss, start):
    def objective(weights):
        value, gradient = loss.value_and_grad(features @ weights, y)
        return value, features.T @ gradient

    return minimize(objective, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-10}).x


lines = {"L2": fit(losslib.MSELoss(), np.zeros(2)), "Huber": fit(losslib.HuberLoss(delta=1.0), np.zeros(2))}
lines["L1"] = lines["Huber"]
for beta in (0.3, 0.1, 0.03, 0.01):
    lines["L1"] = fit(losslib.SmoothL1Loss(beta=beta), lines["L1"])

print("true line: 1.00 + 0.50 x")
for name, (intercept, slope) in lines.items():
    print(f"{name:9}: {intercept:.2f} + {slope:.2f} x")

# %%
# The squared error gives way to the wrong points; the other two hardly notice them.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot(x, y, ".", color="0.5", label="data")
for name, weights in lines.items():
    left.plot(x, features @ weights, label=name)
left.set(xlabel="x", ylabel="y", title="three fits")
left.legend()

errors = np.linspace(-6, 6, 400)
for name, loss in {"L2": losslib.HalfSquaredError(), "Huber": losslib.HuberLoss(), "L1": losslib.L1Loss()}.items():
    right.plot(errors, loss.replace(reduction="sum").grad(errors, np.zeros_like(errors)), label=name)
right.set(xlabel="prediction − target", ylabel="gradient", title="how hard an error pulls", ylim=(-3, 3))
right.legend()
plt.show()
