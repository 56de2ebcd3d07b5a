"""Names without a package: what losslib understands, and what it asks about.

A plain name is losslib's own (function, class, alias), or another package's spelling whose functions all come out as one
losslib loss. Everything else is an error that names the meanings and the calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib._kernels.loss import Loss
from losslib.declaration import registry
from losslib.errors import ParameterError
from losslib.names.binding import bind, case_of, values_of, write
from losslib.names.schema import Binding
from losslib.names.tables import PACKAGES, spellings

__all__ = ["CONTESTED", "OWN", "candidates", "get", "is_plain"]

#: Spellings of other packages that look like a losslib loss and are another function there by default.
CONTESTED = {
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
}

#: Aliases of losslib that are words of the field: some package gives the word another function, named here.
OWN = {
    "poisson": "the log link, as LightGBM; Keras's function takes means",
    "log_loss": "the logarithms alone, as scikit-learn; Paddle and TensorFlow add epsilon inside them",
    "mape": "a share of 1; Keras's is in percent, LightGBM divides by at least 1",
    "mae": "the mean; Keras's function gives row means",
}


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
    ParameterError
        If they mean several, or losslib's loss of the nearest name is another function.
    """
    found = candidates(name)
    if name not in CONTESTED and found:
        taking = [(key, item) for key, item in found if set(parameters) <= set(item.parameters)]
        if not taking:
            values_of(*found[0], parameters)  # says what it takes
        losses = []
        for key, item in taking:
            try:
                losses.append(bind(key, item, parameters))
            except ParameterError:
                if len(taking) == 1:
                    raise
        if losses and all(loss == losses[0] for loss in losses) and len(losses) == len(taking):
            return losses[0]
    raise ParameterError(question(name, found, parameters))


def question(name: str, found: list[tuple[str, Binding]], parameters: Mapping[str, Any]) -> str:
    """Say what a name means here and in other packages, and how to write each."""
    given = "".join(f", {key}={value!r}" for key, value in parameters.items())
    meanings = [f"{meaning(key, binding)}: {write(key, binding)}" for key, binding in found]
    ours = CONTESTED.get(name)
    if ours is not None:
        info = registry.info_of(ours)
        inputs = info.inputs[0].meaning.partition(". ")[0].rstrip(".")
        inputs = inputs[0].lower() + inputs[1:]
        meanings.append(f'losslib\'s {ours}, whose {info.inputs[0].name} is {inputs}: losslib.get("{ours}")')
    listed = "; or ".join(meanings)
    return f"{name!r}{' with' + given[1:] if given else ''} could mean several losses: {listed}"


def meaning(key: str, binding: Binding) -> str:
    """Say in a line what a name is in a package at its defaults there."""
    try:
        case = case_of(key, binding, values_of(key, binding, {}))
    except (ParameterError, TypeError):
        needed = [name for name, item in binding.parameters.items() if repr(item.default) == "required"]
        return f"{key}'s {binding.name}, which needs {', '.join(needed)}"
    if case.refused:
        return f"{key}'s {binding.name} ({case.refused})"
    try:
        loss = bind(key, binding, {})
    except (ParameterError, TypeError):
        return f"{key}'s {binding.name}"
    note = f" {case.note[0].lower()}{case.note[1:].rstrip('.')}" if case.note else ""
    return f"{key}'s {binding.name}, {loss!r}{',' if note else ''}{note}"
