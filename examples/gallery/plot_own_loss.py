"""
Your own loss: bread, and what its absence costs
================================================

A bakery orders in the evening for the next day. A loaf too many costs 1, a loaf too few 3, and from the tenth missing
loaf on 5 more each. That is a loss in one line. A model that minimises it orders more than the mean, and more so on
days that are hard to foresee.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.optimize
import xgboost

import losslib

# %%
# Demand depends on the temperature, and is less certain when it is warm.

random = np.random.default_rng(4)
N = 2000
temperature = random.uniform(0.0, 30.0, N)
demand = np.maximum(0.0, 80.0 - temperature + (2.0 + 0.4 * temperature) * random.standard_normal(N))

cost = losslib.from_formula(
    "where(d >= 0, waste*d, short*(-d) + anger*max(-d - 10, 0))", waste=1.0, short=3.0, anger=5.0, name="bread"
)

# %%
# A straight line, fitted by SciPy with the exact gradient: to squared error, and to what mistakes cost.

design = np.column_stack([np.ones(N), temperature / 10.0])


def fitted(loss):
    def value_and_grad(weights):
        value, gradient = loss.value_and_grad(design @ weights, demand)
        return value, design.T @ gradient

    return scipy.optimize.minimize(value_and_grad, np.array([60.0, 0.0]), jac=True, method="BFGS").x


by_squares, by_cost = fitted(losslib.MSELoss()), fitted(cost)

# %%
# A booster needs curvature, which straight lines do not have: ``softplus`` rounds the corners.

smooth = losslib.from_formula(
    "waste*up + short*down + anger*more",
    up="s*softplus(d/s)", down="s*softplus(-d/s)", more="s*softplus((-d - 10)/s)",
    waste=1.0, short=3.0, anger=5.0, s=3.0,
)  # fmt: skip
data = xgboost.DMatrix(temperature[:, np.newaxis], label=demand)
booster = xgboost.train(
    {"max_depth": 2, "eta": 0.2, "base_score": float(demand.mean()), "nthread": 1},
    data,
    num_boost_round=80,
    obj=losslib.adapters.xgboost.objective(smooth),
)
boosted = booster.predict(data, output_margin=True).astype(np.float64)

for name, orders in (("squares", design @ by_squares), ("cost", design @ by_cost), ("boosted", boosted)):
    print(f"{name:8} costs {cost(orders, demand):.2f} a day")

# %%
# The loss with its gradient, and what the models order.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
d = np.linspace(-20.0, 10.0, 301)
values, slopes = cost.replace(reduction="none"), cost.replace(reduction="sum")
left.plot(d, values(d, np.zeros_like(d)), label="cost")
left.plot(d, 10 * slopes.grad(d, np.zeros_like(d)), label="10 × gradient")
left.set(xlabel="ordered minus asked for", title="The loss")
left.legend()
right.plot(temperature, demand, ".", color="0.8", markersize=2)
order = np.argsort(temperature)
for name, orders in (("squared error", design @ by_squares), ("cost", design @ by_cost), ("cost, boosted", boosted)):
    right.plot(temperature[order], orders[order], label=name)
right.set(xlabel="temperature", ylabel="loaves", title="Orders")
right.legend()
plt.show()
