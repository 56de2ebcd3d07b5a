"""
Ordered classes: neither numbers nor names
==========================================

In 1996, 944 Americans placed themselves between strong Democrat (0) and strong Republican (6). The seven answers have
an order, so they are more than seven names; that the step from 2 to 3 is as large as that from 5 to 6 nobody said, so
they are less than numbers. Boosted trees can take them for either, or for what they are.
"""

import matplotlib.pyplot as plt
import numpy as np
import xgboost
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from statsmodels.datasets import anes96

from losslib.adapters.ordinal import OrdinalObjective

# %%
# The American National Election Study, as statsmodels brings it along: age, education, income, news on television, size
# of the town, and where people place themselves and both candidates between left and right. The vote is left out.

survey = anes96.load_pandas().data
party = survey["PID"].to_numpy(int)
asked = ["popul", "TVnews", "selfLR", "ClinLR", "DoleLR", "age", "educ", "income"]
features, classes = survey[asked].to_numpy(float), 7

# %%
# The same trees under four objectives. The ordinal one, :py:class:`losslib.adapters.ordinal.OrdinalObjective`, learns
# one score, and six thresholds that are fitted anew in each round; a class is what lies between two of them. Each
# function returns what the trees say about new people after some numbers of rounds: a number, or probabilities.

ROUNDS = (15, 30, 45, 60)
TREES = {"max_depth": 2, "eta": 0.2, "nthread": 1}


def of_xgboost(objective, **further):
    def train(x, y, new_x):
        data = xgboost.DMatrix(x, y)
        trees = xgboost.train({**TREES, "objective": objective, **further}, data, ROUNDS[-1])
        return [trees.predict(xgboost.DMatrix(new_x), iteration_range=(0, rounds)) for rounds in ROUNDS]

    return train


def ordinal(x, y, new_x):
    data, new, objective = xgboost.DMatrix(x, y), xgboost.DMatrix(new_x), OrdinalObjective(classes)
    trees = xgboost.train({**TREES, "base_score": 0.0}, data, ROUNDS[-1], obj=objective)
    answers = []
    for rounds in ROUNDS:
        part = {"output_margin": True, "iteration_range": (0, rounds)}
        answers.append(objective.fit(trees.predict(data, **part), y).predict_proba(trees.predict(new, **part)))
    return answers


def nearest(number):
    return np.clip(np.rint(number), 0, classes - 1).astype(int)


def most_probable(probabilities):
    return probabilities.argmax(axis=1)


def median(probabilities):
    return np.sum(np.cumsum(probabilities, axis=1) < 0.5, axis=1).clip(max=classes - 1)


# %%
# An answer has to become one class. Of a number it is the nearest. Of probabilities it is the most probable one, which
# is what XGBoost's own classifier returns, or the median, which has the least absolute error if they are right.

ways = {
    "numbers: squared error": (of_xgboost("reg:squarederror"), nearest),
    "numbers: absolute error": (of_xgboost("reg:absoluteerror"), nearest),
    "names: most probable": (of_xgboost("multi:softprob", num_class=classes), most_probable),
    "names: median": (of_xgboost("multi:softprob", num_class=classes), median),
    "order: median": (ordinal, median),
}

# %%
# Two thirds train, one third is judged, six times. How many rounds are best is found for each way by itself, by
# cross-validation among those that train, with the mean absolute error that all are judged by in the end.


def choose(train, decide, x, y):
    errors = np.zeros(len(ROUNDS))
    for most, rest in StratifiedKFold(3, shuffle=True, random_state=0).split(x, y):
        answers = train(x[most], y[most], x[rest])
        errors += [np.abs(decide(answer) - y[rest]).sum() for answer in answers]
    return errors.argmin()


found = {name: [] for name in ways}
for learned, judged in StratifiedShuffleSplit(6, test_size=1 / 3, random_state=0).split(features, party):
    for name, (train, decide) in ways.items():
        best = choose(train, decide, features[learned], party[learned])
        guess = decide(train(features[learned], party[learned], features[judged])[best])
        error = np.mean(np.abs(guess - party[judged]))
        found[name].append((error, cohen_kappa_score(party[judged], guess, weights="quadratic")))

found = {name: np.array(pairs) for name, pairs in found.items()}
ours = found["order: median"]
print(f"{'means of six divisions':25}{'absolute error':>16}{'quadratic kappa':>17}{'order is better in':>25}")
for name, pairs in found.items():
    errors, kappas = np.sum(ours[:, 0] < pairs[:, 0]), np.sum(ours[:, 1] > pairs[:, 1])
    against = "" if pairs is ours else f"{errors} and {kappas} of 6"
    print(f"{name:25}{pairs[:, 0].mean():16.3f}{pairs[:, 1].mean():17.3f}{against:>25}")

# %%
# As numbers the answers are pressed into equal steps, and as names the most probable one may lie far from the others.
# Order is better than both, by either measure and in every division. Names with the median do as well as far as six
# divisions can tell, since seven probabilities say all that six thresholds say; but they take seven trees in each
# round, and order takes one.
#
# On the left each division as a point, down and right is better. On the right what the trees and thresholds say of a
# person by his score. The steps are not equal: the three answers in the middle, independents of three shades, have
# little room, and 3, leaning to neither side, is hardly ever the most probable one.

thresholds = OrdinalObjective(classes)
data = xgboost.DMatrix(features, party)
trees = xgboost.train({**TREES, "base_score": 0.0}, data, 30, obj=thresholds)
scores = trees.predict(data, output_margin=True)
line = np.linspace(scores.min() - 1, scores.max() + 1, 300)
probabilities = thresholds.fit(scores, party).predict_proba(line)

figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
for k, (name, pairs) in enumerate(found.items()):
    left.plot(*pairs[:, ::-1].T, "o", color=f"C{k}", markersize=4, alpha=0.5)
    left.plot(*pairs[:, ::-1].mean(axis=0), "D", color=f"C{k}", markersize=9, label=name)
left.set(xlabel="quadratic kappa", ylabel="mean absolute error", title="six divisions, and their means")
left.legend(fontsize="small")
colours = plt.colormaps["coolwarm"](np.linspace(0, 1, classes))
right.stackplot(line, probabilities.T, colors=colours)
for answer, place in enumerate((probabilities * line[:, np.newaxis]).sum(axis=0) / probabilities.sum(axis=0)):
    below = probabilities[np.abs(line - place).argmin()].cumsum()
    right.text(place, below[answer] - probabilities[np.abs(line - place).argmin(), answer] / 2, answer, ha="center")
for threshold in thresholds.thresholds_:
    right.axvline(threshold, color="0.2", linewidth=0.8, linestyle=":")
right.plot(scores, np.full_like(scores, -0.03), "|", color="0.3", markersize=6, alpha=0.3, clip_on=False)
right.set(xlabel="score; thresholds dotted", title="probability of each answer", xlim=line[[0, -1]], ylim=(-0.06, 1))
plt.show()
