"""Names without a package: what losslib understands, and what it asks about.

A plain name is losslib's own (function, class, alias), or the spelling of other packages whose functions all are, at
their defaults, one losslib loss at its defaults. Everything else is an error that names the meanings and the calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib._kernels.loss import Loss
from losslib.combine.peer_loss import PeerLoss
from losslib.declaration import registry
from losslib.errors import ParameterError
from losslib.names.binding import bind, case_of, losses_of, values_of, write
from losslib.names.schema import REQUIRED, Binding
from losslib.names.tables import PACKAGES, package, spellings

__all__ = ["NEAREST", "OWN", "agrees", "by_parameters", "candidates", "get", "is_plain"]

#: Spellings of other packages that are another function there by default than losslib's loss of the nearest name.
NEAREST = {
    "KLDivergence": "kl_div",
    "kl_divergence": "kl_div",
    "Poisson": "poisson_nll_loss",
    "CTC": "ctc_loss",
    "BinaryFocalCrossentropy": "binary_focal_loss",
    "binary_focal_crossentropy": "binary_focal_loss",
    "SparseCategoricalCrossentropy": "cross_entropy",
    "sparse_categorical_crossentropy": "cross_entropy",
    "CategoricalFocalCrossentropy": "softmax_focal_loss",
    "categorical_focal_crossentropy": "softmax_focal_loss",
    "CategoricalGeneralizedCrossEntropy": "generalized_cross_entropy",
    "poly_loss_cross_entropy": "poly1_cross_entropy",
    "multiclass_hinge_loss": "crammer_singer_loss",
    "jensen_shannon_divergence": "js_div",
    "binary:hinge": "hinge_loss",
    "reg:squaredlogerror": "mean_squared_logarithmic_error",
    "reg:quantileerror": "quantile_loss",
    "reg:expectileerror": "expectile_loss",
    "FocalLoss": "sigmoid_focal_loss",
    "Focal": "sigmoid_focal_loss",
    "Logloss": "binary_cross_entropy",
    "Dice": "dice_loss",
    "Tversky": "tversky_loss",
}

#: Aliases of losslib that are words of the field, though another package gives the word another function by default.
OWN = {
    "poisson": "the log link, as in LightGBM; Keras's function takes means",
    "log_loss": "the logarithms alone, as in scikit-learn; Paddle and TensorFlow add epsilon inside them",
    "focal_loss": "of logits of marks, as in torchvision; kornia's takes class indices",
    "LovaszLoss": "of several classes; segmentation-models takes the kind as mode",
    "mape": "a share of 1; Keras's is in percent, and LightGBM divides by at least 1",
    "circle": "weights held constant, as in the paper and PyTorch Metric Learning; Keras differentiates them",
    "ctc": "log-probabilities, as in PyTorch; Keras's function takes logits",
    "l2": "the square; LightGBM's derivatives are those of half of it",
    "mean_squared_error": "the square; LightGBM's derivatives are those of half of it",
    "xe_ndcg": "the gradient is that of the value; LightGBM's goes on to the third order",
    "xendcg": "the gradient is that of the value; LightGBM's goes on to the third order",
    "coxph": "Efron's ties; scikit-survival's boosting has Breslow's",
    "survival:cox": "Efron's ties; XGBoost's are nearly Breslow's",
    "survival:aft": "the likelihood itself; XGBoost clips its derivatives",
    "SurvivalAft": "the likelihood itself; CatBoost reports distances from the bounds",
}

#: Parameters that say how a value is formed from those of elements or rows, not which function it is.
FORM = ("reduction", "axis", "empty", "check")


def is_plain(name: object) -> bool:
    """True for a spelling of another package that stands without it."""
    return isinstance(name, str) and bool(candidates(name))


def candidates(name: str) -> list[tuple[str, Binding]]:
    """Return the packages that have this spelling, with what it is there; Keras stands for TensorFlow's copy of it."""
    found = [(key, table[name]) for key in PACKAGES if name in (table := spellings(key))]
    keras = {id(binding) for key, binding in found if key == "keras"}
    return [(key, binding) for key, binding in found if key == "keras" or id(binding) not in keras]


def get(name: str, parameters: Mapping[str, Any]) -> Loss:
    """Return the loss of another package's spelling, if all packages that have it mean one.

    Raises
    ------
    TypeError
        If no package that has it takes these parameters.
    ParameterError
        If they mean several losses, or losslib's loss of the nearest name is another function.
    """
    found = [(key, item) for key, item in candidates(name) if not _missing(item, parameters)]
    # A parameter that losslib's loss has not says whose function is meant.
    ours = set(registry.info_of(NEAREST[name]).parameter_names) if name in NEAREST else set()
    clear = bool(set(parameters) - ours) if ours else all(agrees(key, item) for key, item in found)
    if found and clear:
        taking = [(key, item) for key, item in found if set(parameters) <= set(item.parameters)]
        if not taking:
            values_of(*found[0], parameters)  # raises with what it takes
        losses = [bind(key, item, parameters) for key, item in taking]
        if all(_averaged(loss) == _averaged(losses[0]) for loss in losses):
            return losses[0]
    raise ParameterError(_question(name, candidates(name)))


def by_parameters(name: str, parameters: Mapping[str, Any]) -> Loss | None:
    """Return the loss of a name that is losslib's and a package's, by parameters that the package alone has."""
    ours = registry.info_of(name).name
    for key, binding in candidates(name):
        if set(parameters) <= set(binding.parameters) and ours in losses_of(binding) and agrees(key, binding):
            return bind(key, binding, parameters)
    return None


def agrees(key: str, binding: Binding) -> bool:
    """True if a function of another package, at its defaults, is a losslib loss at its defaults.

    Clips that guard logarithms, the reduction and the axis of the classes make no other function of it; a required
    parameter has no default that could differ.
    """
    needed = {name: _sample(binding, name) for name in _missing(binding, {})}
    try:
        loss: Any = bind(key, binding, needed)
    except ParameterError:
        return False
    if isinstance(loss, PeerLoss):
        if loss.parameters["log"]:
            return False
        loss = loss.parameters["loss"]
    if loss.info is None:  # a factor
        return False
    ours, theirs = type(loss)().parameters, loss.parameters
    return all(
        theirs[name] == ours[name]
        for name in ours
        if name not in FORM and name not in {getattr(binding.parameters[item], "to", "") or item for item in needed}
    )


def _missing(binding: Binding, parameters: Mapping[str, Any]) -> list[str]:
    """Return the required parameters that are not given."""
    return [name for name, item in binding.parameters.items() if item.default is REQUIRED and name not in parameters]


def _sample(binding: Binding, name: str) -> Any:
    """Return some legal value of a required parameter: one that a case asks for, or a number."""
    return next((case.when[name] for case in binding.cases if name in case.when), 0.5 if name != "q" else 2.0)


def _averaged(loss: Loss) -> Loss:
    """Return the loss with the mean in place of the weighted mean, which it is without weights."""
    return loss.replace(reduction="mean") if loss.info is not None and loss.reduction == "weighted_mean" else loss


def _question(name: str, found: list[tuple[str, Binding]]) -> str:
    """Say what a name means here and in other packages, and how to write each."""
    meanings = [_meaning(key, binding) for key, binding in found]
    ours = NEAREST.get(name)
    if ours is not None:
        info = registry.info_of(ours)
        text = info.inputs[0].meaning.split(". ")[0].split(":")[0].rstrip(".")
        meanings.append(f'in losslib {ours} is the nearest ({text[0].lower()}{text[1:]}): losslib.get("{ours}")')
    return f"{name!r} alone is not clear: {'; '.join(meanings)}"


def _meaning(key: str, binding: Binding) -> str:
    """Say what a name is in a package at its defaults there, and how to write it."""
    title = package(key).title
    needed = _missing(binding, {})
    if needed:
        arguments = ", ".join(f"{name}=..." for name in needed)
        return f'in {title} it needs {", ".join(needed)}: losslib.get("{key}:{binding.name}", {arguments})'
    case = case_of(key, binding, values_of(key, binding, {}))
    if case.refused:
        return f"in {title} {case.refused}"
    constants = ", ".join(f"{name}={value!r}" for name, value in case.sets.items())
    note = f" ({case.note[0].lower()}{case.note[1:].rstrip('.')})" if case.note else ""
    return f"in {title} it is {case.loss}{f' with {constants}' if constants else ''}{note}: {write(key, binding)}"
