"""
Survival: curves for patients who were not followed to the end
===============================================================

Of a patient who left a study it is known that he lived so long, and no more. Dropping him would make lives too short,
and so would counting him as dead. Two losses take such times as they are: the partial likelihood of Cox's regression,
which looks at the order of the deaths, and hazards on a grid of intervals, which give a curve of any form.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

import losslib
from losslib.adapters.sklearn import CoxRegression

random = np.random.default_rng(3)
samples = 600
age, treated = random.normal(0.0, 1.0, samples), random.integers(0, 2, samples)
features = np.column_stack([age, treated])
life = 10.0 * np.exp(-0.5 * age + 0.7 * treated + 0.6 * np.log(random.exponential(1.0, samples)))
left_at = random.uniform(2.0, 30.0, samples)
time, died = np.minimum(life, left_at), life <= left_at
train, test = slice(0, 400), slice(400, samples)
print(f"{np.mean(~died):.0%} of the patients left before they died")

# %%
# Cox's regression: coefficients are logarithms of hazard ratios. Its curves come from the baseline hazard.

cox = CoxRegression().fit(features[train], np.column_stack([time, died])[train])
print("hazard ratios:", np.exp(cox.coef_).round(2))

# %%
# Hazards on a grid: a logit for each interval and patient, here a linear model of the features with an intercept for
# each interval. The probability to live through an interval is that of no death in it and in all before.

edges = np.linspace(0.0, 30.0, 13)
interval = np.clip(np.searchsorted(edges, time, side="right") - 1, 0, len(edges) - 2)
columns = len(edges) - 1


def logits(weights, rows):
    return weights[:columns] + (features[rows] @ weights[columns:])[:, np.newaxis]


def objective(weights):
    value, gradient = losslib.logistic_hazard_loss.value_and_grad(logits(weights, train), interval[train], died[train])
    return value, np.append(gradient.sum(0), features[train].T @ gradient.sum(1))


found = minimize(objective, np.zeros(columns + 2), jac=True, method="L-BFGS-B").x
hazard = 1.0 / (1.0 + np.exp(-logits(found, test)))
on_grid = np.cumprod(1.0 - hazard, axis=1)

# %%
# Both are judged on the other patients: by the concordance of their risks, and by the Brier score of their curves, in
# which those who are known stand for those who left.

for name, risk, curves in (
    ("Cox", cox.predict(features[test]), cox.predict_survival(features[test], edges[1:-1])),
    ("hazards on a grid", -on_grid.mean(1), on_grid[:, :-1]),
):
    concordance = losslib.concordance_index(risk, time[test], died[test])
    brier = losslib.ipcw_brier_score(
        curves, time[test], died[test], eval_times=edges[1:-1], train_time=time[train], train_event=died[train]
    )
    print(f"{name:18} concordance {concordance:.3f}, Brier score {brier:.3f}")

# %%
# On the left the curves of a patient of average age with and without treatment. On the right what the partial
# likelihood sees: at each death (dot) all who are still observed, the risk set; who left (stroke) is in those before.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
grid = np.linspace(0.0, 30.0, 200)
for group, label in enumerate(("untreated", "treated")):
    patient = np.array([[0.0, group]])
    (line,) = left.plot(grid, cox.predict_survival(patient, grid)[0], label=f"{label}, Cox")
    steps = 1.0 - 1.0 / (1.0 + np.exp(-(found[:columns] + patient @ found[columns:])))
    left.step(
        edges, np.append(1.0, np.cumprod(steps)), ":", where="post", color=line.get_color(), label=f"{label}, grid"
    )
left.set(xlabel="time", ylabel="probability to live", ylim=(0, 1), title="two patients of average age")
left.legend(fontsize="small")

few = np.argsort(time[:12])
for row, patient in enumerate(few):
    right.plot([0.0, time[patient]], [row, row], color="0.7")
    right.plot(time[patient], row, "o" if died[patient] else "|", color="C3" if died[patient] else "0.3", markersize=8)
    if died[patient]:
        right.annotate(f"{len(few) - row} at risk", (time[patient], row), xytext=(6, -3), textcoords="offset points")
right.set(xlabel="time", ylabel="patient", yticks=[], title="times of twelve patients, and risk sets", xlim=(0, 32))
plt.show()
