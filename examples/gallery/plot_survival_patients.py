"""
Survival of real patients: curves, ties and boosted trees
=========================================================

686 women with breast cancer were followed for up to seven years (the German Breast Cancer Study Group's second trial,
which the package lifelines brings along). Are the curves that Cox's regression predicts those that came? What does it
cost to record times in whole years? And do boosted trees find more than a line does?
"""

import lightgbm
import matplotlib.pyplot as plt
import numpy as np
import xgboost
from lifelines.datasets import load_gbsg2

import losslib
from losslib.adapters import lightgbm as for_lightgbm
from losslib.adapters import xgboost as for_xgboost
from losslib.adapters.sklearn import CoxRegression

patients = load_gbsg2()
days, event = patients["time"].to_numpy(float), patients["cens"].to_numpy(float)
columns = {
    "hormone therapy": patients["horTh"] == "yes",
    "age, 10 years": patients["age"] / 10,
    "after menopause": patients["menostat"] == "Post",
    "tumour size, cm": patients["tsize"] / 10,
    "grade": patients["tgrade"].map({"I": 1, "II": 2, "III": 3}),
    "log of nodes": np.log(patients["pnodes"]),
    "log of progesterone": np.log1p(patients["progrec"]),
    "log of estrogen": np.log1p(patients["estrec"]),
}
features = np.column_stack([np.asarray(column, float) for column in columns.values()])
print(f"{len(days)} patients, {np.mean(event):.0%} with a relapse; the others left before one")

# %%
# Two thirds train Cox's regression, the others are sorted by the risk that it gives them into three groups of equal
# size. Their predicted curves are averaged, and compared with what came: Kaplan and Meier's estimate counts, at each
# relapse, the share of those still followed who get through.


def kaplan_meier(time, event):
    at = np.unique(time[event == 1])
    followed = np.array([(time >= t).sum() for t in at])
    relapses = np.array([((time == t) & (event == 1)).sum() for t in at])
    return at, np.cumprod(1.0 - relapses / followed)


order = np.random.default_rng(0).permutation(len(days))
train, test = order[:457], order[457:]
cox = CoxRegression().fit(features[train], np.column_stack([days, event])[train])
risk = cox.predict(features[test])
print(f"concordance of patients not trained on: {losslib.concordance_index(risk, days[test], event[test]):.3f}")

grid = np.linspace(0.0, 2400.0, 200)
groups = np.searchsorted(np.quantile(risk, [1 / 3, 2 / 3]), risk)
predicted = [cox.predict_survival(features[test][groups == k], grid).mean(axis=0) for k in range(3)]
observed = [kaplan_meier(days[test][groups == k], event[test][groups == k]) for k in range(3)]

# %%
# Ties. Days tell nearly all relapses apart, whole years nearly none. Breslow's form leaves each of the tied patients at
# risk until all of them have relapsed, which draws the coefficients towards 0. Efron's form, the default here, takes
# them away one after the other, and comes closer to what the days say.

coefficients = {}
for name, time, ties in (
    ("days", days, "efron"),
    ("years, Efron", np.ceil(days / 365.25), "efron"),
    ("years, Breslow", np.ceil(days / 365.25), "breslow"),
):
    fitted = CoxRegression(ties=ties).fit(features, np.column_stack([time, event]))
    coefficients[name] = fitted.coef_ * features.std(axis=0)  # of a feature moved by its standard deviation
print(f"{event.sum():.0f} relapses on {np.unique(days[event == 1]).size} days")
for name in ("years, Efron", "years, Breslow"):
    ratio = np.linalg.norm(coefficients[name]) / np.linalg.norm(coefficients["days"])
    print(f"{name:15} coefficients {ratio - 1:+.1%} in length against those of days")

# %%
# Trees. XGBoost has Breslow's partial likelihood, LightGBM has none; through the adapters both take Efron's. The label
# is the time, negative where the patient left. They see times in years. The number of trees is chosen for each on a
# quarter of the training patients; what is printed is the mean over five divisions of the patients, and its spread: the
# concordance of the days, and the partial likelihood of the years, by Efron's form, without the tested patients.

SETTINGS = {"max_depth": 2, "eta": 0.1, "nthread": 1, "base_score": 0.0}
LEAVES = {"num_leaves": 4, "learning_rate": 0.1, "verbose": -1, "num_threads": 1}
TREES = (10, 20, 40, 60, 80, 120)
years = np.ceil(days / 365.25)
label = np.where(event == 1, years, -years)


def boost(name, rows):
    """Return the scores of all patients after each number of trees."""
    if name.startswith("LightGBM"):
        options = {**LEAVES, "objective": for_lightgbm.objective("cox")}
        trees = lightgbm.train(options, lightgbm.Dataset(features[rows], label[rows]), TREES[-1])
        return [trees.predict(features, num_iteration=n, raw_score=True) for n in TREES]
    data, everyone = xgboost.DMatrix(features[rows], label[rows]), xgboost.DMatrix(features)
    if name.endswith("own"):
        trees = xgboost.train({**SETTINGS, "base_score": 0.5, "objective": "survival:cox"}, data, TREES[-1])
    else:
        trees = xgboost.train(SETTINGS, data, TREES[-1], obj=for_xgboost.objective("cox"))
    return [trees.predict(everyone, output_margin=True, iteration_range=(0, n)) for n in TREES]


def judge(score, rows):
    concordance = losslib.concordance_index(score[rows], days[rows], event[rows])
    return concordance, losslib.cox_ph_loss(score[rows].astype(float), years[rows], event[rows])


names = ("XGBoost's own", "XGBoost, Efron", "LightGBM, Efron", "Cox's regression")
found = {name: [] for name in names}
for seed in range(5):
    order = np.random.default_rng(seed).permutation(len(days))
    train, test = order[:457], order[457:]
    for name in names[:3]:
        tried = [judge(score, train[343:])[1] for score in boost(name, train[:343])]
        found[name].append(judge(boost(name, train)[int(np.argmin(tried))], test))
    line = CoxRegression().fit(features[train], np.column_stack([years, event])[train])
    found[names[3]].append(judge(line.predict(features), test))
for name in names:
    (concordance, loss), (a, b) = np.mean(found[name], axis=0), np.std(found[name], axis=0)
    print(f"{name:17} concordance {concordance:.3f} ± {a:.3f}, Efron's loss {loss:.3f} ± {b:.3f}")

# %%
# Divisions differ more than the trees do, whose form of ties makes no difference that these patients could show; and
# 457 of them are too few for trees to find more than the line does.
#
# On the left the three groups, on the right the coefficients, each times the standard deviation of its feature.

figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained", width_ratios=(3, 2))
for k, name in enumerate(("lowest third", "middle third", "highest third")):
    left.plot(grid, predicted[k], f"C{k}", label=f"{name} of risk")
    left.step(*observed[k], f"C{k}:", where="post")
left.plot([], [], ":", color="0.4", label="what came (Kaplan-Meier)")
left.set(xlabel="days", ylabel="without relapse", ylim=(0, 1), title="patients that were not trained on")
left.legend()
places = np.arange(len(columns))
for shift, (name, coefficient) in zip((-0.25, 0.0, 0.25), coefficients.items(), strict=True):
    right.barh(places + shift, coefficient, 0.25, label=name)
right.set(yticks=places, xlim=(-0.45, 0.55), yticklabels=list(columns), title="log hazard ratios")
right.invert_yaxis()
right.legend(loc="upper right")
plt.show()
