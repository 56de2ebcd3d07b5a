"""Names of other packages give the values and gradients of the packages, over the parameters that they have there.

The table of bindings is walked: every spelling, and of its parameters every word of a reduction, every value that
chooses a loss, and several values of each number. What losslib refuses is counted with its reason.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from losslib.errors import ParameterError
from losslib.names.binding import bind
from losslib.names.schema import REQUIRED, Binding, Chooses, Joins, Parameter, Reduces, Takes
from losslib.names.tables import PACKAGES, package
from peers.named_calls import ELSEWHERE, HANGING, LOOSE, PEERS, SINGLE, VALUE_ONLY, upstream_for, with_differences
from peers.named_inputs import inputs_for
from peers.named_report import RESULTS

#: Values of parameters that are numbers, beside the default there.
NUMBERS: dict[str, tuple[Any, ...]] = {
    "delta": (0.5, 2.0), "beta": (0.5, 2.0), "rho": (0.5, 2.0), "margin": (0.3, 0.8), "p": (2,), "eps": (1e-3,),
    "epsilon": (0.3,), "label_smoothing": (0.2,), "alpha": (0.25, 0.7), "gamma": (0.5, 1.5), "quantile": (0.9,),
    "ignore_index": (1,), "ignore_class": (1,), "full": (True,), "log_input": (False,), "swap": (True,),
    "log_target": (True,), "zero_infinity": (True,), "compute_full_loss": (True,), "smooth_factor": (0.1,),
    "q": (1.5, 2.5), "smoothness": (0.5,), "variance_power": (1.2, 1.7), "width": (2.0,),
    "curvature": (1.0,), "fastemit_lambda": (0.0, 0.1), "focal_alpha": (0.25,), "focal_gamma": (2.0,),
    "pos_weight": ([3.0],), "scale_pos_weight": (3.0,),
    "sigmoid": (True,), "softmax": (True,), "batch": (True,), "squared_pred": (True,), "soft_label": (True,),
    "smooth_nr": (0.25,), "smooth_dr": (0.75,), "smooth": (0.5,), "log_loss": (True,), "from_logits": (False,),
    "class_weights": ([0.5, 1.0, 2.0, 0.75],), "w_type": ("simple", "uniform"), "weighting_mode": ("GDL",),
    "lambda_dice": (0.5,), "lambda_ce": (2.0,), "per_image": (True,), "apply_softmax": (False,),
    "apply_sigmoid": (False,), "classes": ([0, 1, 3],), "mode": ("multiclass", "multilabel", "binary"),
    "temperature": (0.2,), "lambda_param": (0.02,), "mu_param": (5.0,), "nu_param": (2.0,), "invariance_lambda": (5,),
    "num_classes": (4,), "importance_weights": ([0.5, 1.0, 2.0],), "penalization_type": ("linear",),
    "use_logarithm": (True,), "cutoffs": ([3, 8],), "l2_reg": (0.1,), "margin1": (0.9,), "m": (0.25,),
    "ties": ("efron",), "ties_method": ("breslow",), "sigma": (0.5,), "imratio": (0.1,), "version": ("v2",),
    "tau": (0.9,), "squared": (True,),
    "dist_matrix": ([[0.0, 1, 1, 1], [1, 0, 0.5, 0.25], [1, 0.5, 0, 0.5], [1, 0.25, 0.5, 0]],),
}  # fmt: skip
#: Weights of classes, and of the elements of a table.
CLASSES = [0.5, 1.0, 2.0, 0.7]
ELEMENTS = (np.arange(24.0).reshape(6, 4) / 10 + 0.3).tolist()
OF_ELEMENTS = ("l1_loss", "mse_loss", "huber_loss")
MOST = 32

BOUND = {np.float64: 1e-10, np.float32: 3e-5}


def options(item: Parameter, name: str, binding: Binding) -> list[Any]:
    """Return the values of a parameter to try."""
    default = [] if item.default is REQUIRED else [item.default]
    if isinstance(item, Reduces):
        return [word for word in item.words if word != "auto"]  # a word of Keras 2
    if name == "weight" and item.default == 0.5:  # of two terms, not of classes
        return [*default, 0.25]
    if name == "weight" and isinstance(item, Takes):
        return [*default, ELEMENTS if binding.name in OF_ELEMENTS else CLASSES]
    if name == "alpha" and item.default == 1.5:  # of entmax
        return [*default, 1.2, 2.0]
    if isinstance(item, Chooses):
        return list(dict.fromkeys([*default, *(case.when[name] for case in binding.cases if name in case.when)]))
    if isinstance(item, Joins):
        return [*default, *NUMBERS[name]]
    if isinstance(item, Takes):
        if name == "epsilon" and item.default not in (REQUIRED, 0.1) and binding.name != "poly_loss_cross_entropy":
            return [*default, 1e-3]
        return [*default, *NUMBERS.get(name, ())]
    return default


def grid(key: str, binding: Binding) -> list[dict[str, Any]]:
    """Return parameters of a function: all combinations, or as many as can be tried."""
    names = list(binding.parameters)
    choices = [
        [item.default] if f"{key}:{binding.name}" in HANGING and name in HANGING[f"{key}:{binding.name}"]
        else options(item, name, binding)
        for name, item in binding.parameters.items()
    ]  # fmt: skip
    whole = [dict(zip(names, values, strict=True)) for values in itertools.product(*choices)]
    if len(whole) > MOST:
        rng = np.random.default_rng(zlib.crc32(binding.name.encode()))
        kept = sorted(rng.choice(len(whole), MOST, replace=False))
        whole = [whole[k] for k in kept]
    # Only what differs from the default is given: the defaults are those of the table and of the package.
    return [{k: v for k, v in one.items() if not _same(v, binding.parameters[k].default)} for one in whole]


def _same(first: Any, second: Any) -> bool:
    return type(first) is type(second) and first == second


def entries() -> Iterator[Any]:
    for key in PACKAGES:
        seen: set[int] = set()
        for binding in package(key).bindings:
            if (
                key not in PEERS
                or f"{key}:{binding.name}" in ELSEWHERE
                or (key == "tf" and binding in package("keras").bindings)
                or id(binding) in seen
            ):
                continue
            seen.add(id(binding))
            for name in binding.names:
                yield pytest.param(key, binding, name, id=f"{key}:{name}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("key", "binding", "name"), list(entries()))
def test_a_name_has_the_value_and_the_gradient_of_its_package(key: str, binding: Binding, name: str) -> None:
    make, differentiate = PEERS[key]
    dtype: Any = np.float32 if key in SINGLE or f"{key}:{name}" in SINGLE else np.float64
    compared = 0
    for given in grid(key, binding):
        try:
            loss = bind(key, binding, given)
        except ParameterError as error:
            RESULTS.refuse(key, binding.name, str(error))
            continue
        kind = "softmax_cross_entropy" if given.get("soft_label") else name
        arrays = inputs_for(key, kind, loss, zlib.crc32(name.encode()) % 1000, given)
        arrays = [a if a.dtype.kind == "i" else a.astype(dtype) for a in arrays]
        try:
            theirs, their_gradient = differentiate(make(name, given), arrays, dtype)
        except ValueError as error:  # parameters that the package does not take together
            if "not allowed" in str(error):
                continue
            raise
        ours = np.asarray(loss(*arrays), dtype=np.float64)
        assert ours.shape == theirs.shape, (given, loss)
        upstream = upstream_for(ours)
        gradients = loss.grad(*arrays, grad_output=upstream if upstream.ndim else float(upstream))
        our_gradient = gradients[0] if isinstance(gradients, tuple) else gradients
        bound = 1e-4 if f"{key}:{name}" in VALUE_ONLY else BOUND[dtype]
        bound = max(bound, LOOSE.get(key, 0.0))
        value_error = deviation(ours, theirs)
        gradient_error = deviation(our_gradient, their_gradient) if f"{key}:{name}" not in VALUE_ONLY else 0.0
        RESULTS.compare(key, name, value_error, gradient_error)
        assert value_error <= bound, (given, loss, ours, theirs)
        # Differences of values are exact to about the root of the precision.
        by_differences = 1e-6 if dtype == np.float64 else 3e-4
        limit = by_differences if differentiate is with_differences else bound * 10
        assert gradient_error <= limit, (given, loss, our_gradient, their_gradient)
        compared += 1
    if not compared:
        assert all(case.refused for case in binding.cases if not case.loss)


def deviation(actual: Any, expected: Any) -> float:
    """Return the largest difference, relative to numbers of at least 1."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    equal = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    difference = np.where(equal, 0.0, np.abs(actual - expected) / np.maximum(1.0, np.abs(expected)))
    return float(difference.max(initial=0.0))
