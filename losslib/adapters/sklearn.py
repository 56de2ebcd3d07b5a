"""Losses as scikit-learn metrics and scorers, and linear models that minimise any loss."""

from __future__ import annotations

from losslib.adapters.sklearn_linear import LossClassifier, LossRegressor
from losslib.adapters.sklearn_metrics import metric
from losslib.adapters.sklearn_ordinal import OrdinalClassifier
from losslib.adapters.sklearn_scorers import scorer
from losslib.adapters.sklearn_survival import CoxRegression

__all__ = ["CoxRegression", "LossClassifier", "LossRegressor", "OrdinalClassifier", "metric", "scorer"]
