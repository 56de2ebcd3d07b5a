"""How the functions of the other packages are called, and how their gradients come about.

For each package there is what makes a function of the arrays, in losslib's order, from a name and parameters, and what
differentiates its value, times an upstream gradient, with respect to the first input.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

Call = Callable[..., Any]
Answer = tuple[np.ndarray, np.ndarray | None]


def upstream_for(value: np.ndarray) -> np.ndarray:
    """Return numbers of the shape of the value, to multiply it with before it is differentiated."""
    return np.cos(np.arange(value.size, dtype=np.float64)).reshape(value.shape) + 1.5


# ---- tapes -------------------------------------------------------------------------------------------------------


def with_torch(call: Call, arrays: list[np.ndarray], dtype: Any) -> Answer:
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(a if a.dtype.kind == "i" else a.astype(dtype)) for a in arrays]
    tensors[0].requires_grad_(True)
    value = call(*tensors)
    flat = value.detach().numpy().astype(np.float64)
    (value * torch.tensor(upstream_for(flat), dtype=value.dtype)).sum().backward()
    return flat, tensors[0].grad.numpy()


def with_jax(call: Call, arrays: list[np.ndarray], dtype: Any) -> Answer:
    jax = pytest.importorskip("jax")
    others = [jax.numpy.asarray(a if a.dtype.kind == "i" else a.astype(dtype)) for a in arrays]
    value = np.asarray(call(*others), dtype=np.float64)
    factor = upstream_for(value)
    gradient = jax.grad(lambda x: (call(x, *others[1:]) * factor).sum())(others[0])
    return value, np.asarray(gradient)


def with_tensorflow(call: Call, arrays: list[np.ndarray], dtype: Any) -> Answer:
    tf = pytest.importorskip("tensorflow")
    tensors = [tf.constant(a if a.dtype.kind == "i" else a.astype(dtype)) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors[0])
        value = call(*tensors)
        flat = value.numpy().astype(np.float64)
        total = tf.reduce_sum(value * tf.constant(upstream_for(flat), value.dtype))
    return flat, tape.gradient(total, tensors[0]).numpy()


def with_paddle(call: Call, arrays: list[np.ndarray], dtype: Any) -> Answer:
    paddle = pytest.importorskip("paddle")
    tensors = [paddle.to_tensor(a if a.dtype.kind == "i" else a.astype(dtype)) for a in arrays]
    tensors[0].stop_gradient = False
    value = call(*tensors)
    flat = value.numpy().astype(np.float64)
    (value * paddle.to_tensor(upstream_for(flat).astype(flat.dtype)).astype(value.dtype)).sum().backward()
    return flat, tensors[0].grad.numpy()


def with_keras(call: Call, arrays: list[np.ndarray], dtype: Any) -> Answer:
    keras = pytest.importorskip("keras")
    tapes = {"torch": with_torch, "jax": with_jax, "tensorflow": with_tensorflow}
    return tapes[keras.backend.backend()](call, arrays, dtype)


def with_differences(call: Call, arrays: list[np.ndarray], dtype: Any) -> Answer:
    """Differentiate by central differences: for packages of values alone."""
    value = np.asarray(call(*arrays), dtype=np.float64)
    factor, gradient = upstream_for(value), np.zeros(arrays[0].shape)
    arrays = [arrays[0].astype(np.float64), *arrays[1:]]
    step = 1e-6 if dtype == np.float64 else 1e-4
    for position in np.ndindex(arrays[0].shape):
        sides = []
        for sign in (1.0, -1.0):
            moved = arrays[0].copy()
            moved[position] += sign * step
            sides.append(np.sum(np.asarray(call(moved, *arrays[1:]), dtype=np.float64) * factor))
        gradient[position] = (sides[0] - sides[1]) / (2 * step)
    return value, gradient


# ---- the calls ---------------------------------------------------------------------------------------------------


def attribute(names: tuple[str, ...], name: str) -> Any:
    """Return the function or class of this name from the first module that has it; skip where none has."""
    for module in names:
        found = getattr(pytest.importorskip(module, exc_type=ImportError), name, None)
        if found is not None:
            return found
    pytest.skip(f"{names[0]} {name} is not in this version")


def torch_call(name: str, parameters: Mapping[str, Any]) -> Call:
    torch = pytest.importorskip("torch")
    changed = {
        key: torch.tensor(value, dtype=torch.float64) if isinstance(value, list) else value
        for key, value in parameters.items()
    }
    found = attribute(("torch.nn", "torch.nn.functional"), name)
    return found(**changed) if isinstance(found, type) else lambda *arrays: found(*arrays, **changed)


def keras_call(name: str, parameters: Mapping[str, Any]) -> Call:
    found = attribute(("keras.losses",), name)
    if isinstance(found, type):
        return lambda x, t: found(**{k: v for k, v in parameters.items() if k != "name"})(t, x)
    return lambda x, t: found(t, x, **parameters)


def tf_call(name: str, parameters: Mapping[str, Any]) -> Call:
    tf = pytest.importorskip("tensorflow")
    given = {k: v[0] if isinstance(v, list) else v for k, v in parameters.items()}
    if name.endswith("with_logits"):
        return lambda x, t: getattr(tf.nn, name)(labels=t, logits=x, **given)
    if name == "log_poisson_loss":
        return lambda x, t: tf.nn.log_poisson_loss(t, x, **given)
    if name == "l2_loss":
        return lambda x, t: tf.nn.l2_loss(x - t, **given)
    return lambda x, t: getattr(tf.compat.v1.losses, name.removeprefix("losses."))(t, x, **given)


def optax_call(name: str, parameters: Mapping[str, Any]) -> Call:
    found = attribute(("optax.losses",), name)
    given = {k: np.array(v) if isinstance(v, list) else v for k, v in parameters.items()}
    return lambda *arrays: found(*arrays, **given)


def rax_call(name: str, parameters: Mapping[str, Any]) -> Call:
    found = attribute(("rax",), name)
    return lambda x, t: found(x, t, **parameters)


def scipy_call(name: str, parameters: Mapping[str, Any]) -> Call:
    special = pytest.importorskip("scipy.special")
    if name in ("huber", "pseudo_huber"):
        return lambda x, t: getattr(special, name)(parameters["delta"], x - t)
    return lambda x, t: getattr(special, name)(t, x)


def sklearn_call(name: str, parameters: Mapping[str, Any]) -> Call:
    if "." in name:
        return sgd_call(name.partition(".")[2], parameters)
    if name[0].isupper():
        private = pytest.importorskip("sklearn._loss.loss")
        loss = getattr(private, name)(**parameters)
        return lambda x, t: loss(t.astype(np.float64), np.ascontiguousarray(x))
    metrics = pytest.importorskip("sklearn.metrics")
    given = {k: v for k, v in parameters.items() if v is not None}
    return lambda x, t: getattr(metrics, name)(t, x, **given)


def sgd_call(name: str, parameters: Mapping[str, Any]) -> Call:
    sgd = pytest.importorskip("sklearn.linear_model._sgd_fast")
    shared = pytest.importorskip("sklearn._loss.loss")
    epsilon = parameters.get("epsilon", 0.1)
    makers: dict[str, Call] = {
        "hinge": lambda: sgd.Hinge(1.0),
        "perceptron": lambda: sgd.Hinge(0.0),
        "squared_hinge": lambda: sgd.SquaredHinge(1.0),
        "modified_huber": sgd.ModifiedHuber,
        "epsilon_insensitive": lambda: sgd.EpsilonInsensitive(epsilon),
        "squared_epsilon_insensitive": lambda: sgd.SquaredEpsilonInsensitive(epsilon),
        "squared_error": lambda: shared.HalfSquaredError(),
        "huber": lambda: shared.HuberLoss(delta=epsilon),
        "log_loss": lambda: shared.HalfBinomialLoss(),
    }
    loss = makers[name]()
    if hasattr(loss, "py_loss"):
        return lambda x, t: np.array([loss.py_loss(a, b) for a, b in zip(x, t, strict=True)])
    # These take y first, and labels 0 and 1.
    label = (lambda b: (b + 1) / 2) if name == "log_loss" else (lambda b: b)
    return lambda x, t: loss.loss(label(t), x)


def catboost_call(name: str, parameters: Mapping[str, Any]) -> Call:
    utils = pytest.importorskip("catboost.utils")
    if name in ("QueryRMSE", "PairLogit"):  # each row is a group
        return functools.partial(groups_of_catboost, utils.eval_metric, name)
    words = ";".join(f"{key}={value}" for key, value in parameters.items())
    metric = f"{name}:{words}" if words else name

    def call(x: np.ndarray, t: np.ndarray) -> Any:
        if t.ndim == 2:  # many labels: one list for each
            x, t = x.T, t.T
        return np.float64(utils.eval_metric(t.tolist(), x.tolist(), metric)[0])

    return call


def groups_of_catboost(evaluate: Call, name: str, x: np.ndarray, t: np.ndarray) -> Any:
    groups = np.repeat(np.arange(len(x)), x.shape[1])
    x, t = x.reshape(-1), t.reshape(-1)
    pairs = None
    if name == "PairLogit":
        pairs = np.argwhere((groups[:, np.newaxis] == groups) & (t[:, np.newaxis] > t)).tolist()
    return np.float64(evaluate(t.tolist(), x.tolist(), name, group_id=groups, pairs=pairs)[0])


def paddle_call(name: str, parameters: Mapping[str, Any]) -> Call:
    paddle = pytest.importorskip("paddle")
    found = attribute(("paddle.nn", "paddle.nn.functional"), name)
    given = {
        key: paddle.to_tensor(np.array(value)) if isinstance(value, list) else value
        for key, value in parameters.items()
        if key != "name"
    }
    if name == "hsigmoid_loss":
        count = given.pop("num_classes")

        def hsigmoid(x: Any, t: Any, w: Any, b: Any) -> Any:
            w.stop_gradient = b.stop_gradient = False  # its pass backwards writes all of them
            return found(x, t, count, w, b.unsqueeze(1), **given)[:, 0]

        return hsigmoid
    if name == "adaptive_log_softmax_with_loss":
        return lambda x, t, head, tails, b: found(
            x, t, head.T, [transposed_pair(tails, x.shape[1])], parameters["cutoffs"], b
        )[1]
    call = found(**given) if isinstance(found, type) else lambda *arrays: found(*arrays, **given)
    if "ctc" in name.lower():
        return lambda x, t, n, m: call(x, t.astype("int32"), n, m)
    if "rnnt" in name.lower():
        return lambda x, *counts: call(x, *(item.astype("int32") for item in counts))
    return call


def transposed_pair(row: Any, components: int) -> list[Any]:
    """Return the two matrices of the one tail that a row holds, as Paddle takes them."""
    h = components // 4
    projection, weight = row[: h * components], row[h * components :]
    return [projection.reshape([h, components]).T, weight.reshape([-1, h]).T]


def torchmetrics_call(name: str, parameters: Mapping[str, Any]) -> Call:
    found = attribute(
        ("torchmetrics.functional", "torchmetrics.functional.regression", "torchmetrics.regression"), name
    )
    if isinstance(found, type):
        double = importlib.import_module("torch").float64
        return lambda x, t: found(**parameters).set_dtype(double)(x, t)
    return lambda x, t: found(x, t, **parameters)


def torchvision_call(name: str, parameters: Mapping[str, Any]) -> Call:
    found = getattr(pytest.importorskip("torchvision.ops"), name)
    return lambda x, t: found(x, t, **parameters)


def monai_call(name: str, parameters: Mapping[str, Any]) -> Call:
    torch = pytest.importorskip("torch")
    # A list of weights is one for some and a tensor for others; distances are a tensor.
    tensors = name.startswith("DiceCE") or "dist_matrix" in parameters
    given = {k: torch.tensor(v) if tensors and isinstance(v, list) else v for k, v in parameters.items()}
    if name == "AUCMLoss":
        return aucm_of_monai(attribute(("monai.losses",), name)(**given))
    whole = {"UnifiedFocalLoss": "AsymmetricUnifiedFocalLoss", "DiceFocal": "DiceFocalLoss"}  # what is no name there
    return attribute(("monai.losses",), whole.get(name, name))(**given)


def aucm_of_monai(loss: Any) -> Call:
    """Let the numbers that are parameters there be inputs."""

    def call(x: Any, t: Any, a: Any, b: Any, alpha: Any) -> Any:
        for name, number in (("a", a), ("b", b), ("alpha", alpha)):
            getattr(loss, name).data.fill_(float(number))
        return loss(x.reshape(-1, 1), t.reshape(-1, 1))

    return call


def kornia_call(name: str, parameters: Mapping[str, Any]) -> Call:
    found = attribute(("kornia.losses",), name)
    torch = pytest.importorskip("torch")
    given = {k: torch.tensor(v, dtype=torch.float64) if isinstance(v, list) else v for k, v in parameters.items()}
    call = found(**given) if isinstance(found, type) else lambda *arrays: found(*arrays, **given)
    return (lambda x, t: call(x, t[:, 0].long())) if "hinge" in name.lower() else call


def smp_call(name: str, parameters: Mapping[str, Any]) -> Call:
    modules = ("segmentation_models_pytorch.losses", "segmentation_models_pytorch.losses._functional")
    found = attribute(modules, name)
    torch = importlib.import_module("torch")
    given = {
        k: torch.tensor(v, dtype=torch.float64) if isinstance(v, list) and "class" not in k else v
        for k, v in parameters.items()
    }
    return found(**given) if isinstance(found, type) else lambda *arrays: found(*arrays, **given)


def pml_call(name: str, parameters: Mapping[str, Any]) -> Call:
    call = attribute(("pytorch_metric_learning.losses",), name)(**parameters)
    return (lambda x, y: call(x, ref_emb=y)) if name == "VICRegLoss" else call  # two views, no labels


def module_call(*modules: str) -> Callable[[str, Mapping[str, Any]], Call]:
    """Return how classes and functions of a package of PyTorch are called that take what losslib takes."""

    def make(name: str, parameters: Mapping[str, Any]) -> Call:
        found = attribute(modules, name)
        torch = importlib.import_module("torch")
        given = {k: torch.tensor(v) if isinstance(v, list) else v for k, v in parameters.items()}
        if isinstance(found, type):
            return found(**given)
        if name == "corn_loss":
            return lambda x, t: found(x, t, **given)
        return lambda *arrays: found(*arrays, **given)

    return make


def statsmodels_call(name: str, parameters: Mapping[str, Any]) -> Call:
    regression = pytest.importorskip("statsmodels.duration.hazard_regression")

    def call(x: np.ndarray, time: np.ndarray, event: np.ndarray) -> Any:
        return -getattr(regression, name)(time, np.eye(len(x)), status=event, **parameters).loglike(x)

    return call


def lifelines_call(name: str, parameters: Mapping[str, Any]) -> Call:
    lifelines = pytest.importorskip("lifelines")
    if name == "WeibullAFTFitter":
        return lambda *arrays: weibull_of_lifelines(getattr(lifelines, name)(**parameters), *arrays)
    pandas = pytest.importorskip("pandas")

    def call(x: np.ndarray, time: np.ndarray, event: np.ndarray) -> Any:
        """Samples are the columns, so that the coefficients are the scores."""
        order = np.argsort(time, kind="stable")
        known = pandas.Series(time[order]), pandas.Series(event[order].astype(bool)), pandas.Series(np.ones(len(x)))
        if name == "CoxPHFitter":
            from lifelines.fitters.coxph_fitter import SemiParametricPHFitter

            columns = pandas.DataFrame(np.eye(len(x))[order])
            return -SemiParametricPHFitter(**parameters)._get_efron_values_single(columns, *known, None, x)[2]
        columns = np.eye(len(x))[order]
        time, event, weight = (part.to_numpy() for part in known)
        fitter = lifelines.CoxTimeVaryingFitter(**parameters)
        return -fitter._get_gradients(columns, event, np.zeros(len(x)), time, weight, x)[2]

    return call


def weibull_of_lifelines(fitter: Any, scale: np.ndarray, shape: np.ndarray, time: np.ndarray, event: np.ndarray) -> Any:
    """Minus the log-likelihood at scores of both parameters, which are coefficients of the samples."""
    scores, columns = {"lambda_": scale, "rho_": shape}, {"lambda_": np.eye(len(time)), "rho_": np.eye(len(time))}
    hazards, total = (
        getattr(fitter, f"_{part}")(scores, time, columns) for part in ("log_hazard", "cumulative_hazard")
    )
    return (total - event * hazards).sum()


def sksurv_call(name: str, parameters: Mapping[str, Any]) -> Call:
    util = pytest.importorskip("sksurv.util")
    if name == "CoxPHSurvivalAnalysis":
        optimizer = importlib.import_module("sksurv.linear_model.coxph").CoxPHOptimizer
        ties = parameters.get("ties", "breslow")
        return lambda x, time, event: (
            len(x) * optimizer(np.eye(len(x)), event.astype(bool), time, np.zeros(len(x)), ties).nlog_likelihood(x)
        )
    if "brier" in name:
        metrics = importlib.import_module("sksurv.metrics")

        def call(x: np.ndarray, time: np.ndarray, event: np.ndarray) -> Any:
            known = util.Surv.from_arrays(event.astype(bool), time)
            found = getattr(metrics, name)(known, known, x, np.arange(1.0, x.shape[1] + 1))
            return found if name.startswith("integrated") else found[1].mean()

        return call
    losses = importlib.import_module("sksurv.ensemble.survival_loss")
    loss = losses.LOSS_FUNCTIONS.get(name) or getattr(losses, name)
    return lambda x, time, event: loss()(util.Surv.from_arrays(event.astype(bool), time), x)


def torchsurv_call(name: str, parameters: Mapping[str, Any]) -> Call:
    torch = pytest.importorskip("torch")
    found = attribute(("torchsurv.loss.cox", "torchsurv.loss.weibull"), name)
    if name.endswith("weibull"):
        return lambda scale, shape, time, event: found(torch.stack([scale, shape], 1), event.bool(), time, **parameters)
    return lambda x, time, event: found(x, event.bool(), time, **parameters)


def pycox_call(name: str, parameters: Mapping[str, Any]) -> Call:
    torch = pytest.importorskip("torch")
    found = attribute(("pycox.models.loss",), name)
    call = found(**parameters) if isinstance(found, type) else functools.partial(found, **parameters)
    if not name.startswith("DeepHit"):
        return call if name.endswith("_cr") else lambda x, time, event, *more: call(x, time, event.double(), *more)
    pairs = importlib.import_module("pycox.models.data").pair_rank_mat

    def deephit(x: Any, time: Any, event: Any) -> Any:
        known = event if x.ndim == 3 else event.double()
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)  # of what pycox makes by itself
        try:
            return call(x, time, known, torch.from_numpy(pairs(time.numpy(), event.numpy())).double())
        finally:
            torch.set_default_dtype(before)

    return deephit


#: Package -> how its functions are called, and what differentiates them.
PEERS: dict[str, tuple[Callable[[str, Mapping[str, Any]], Call], Callable[..., Answer]]] = {
    "torch": (torch_call, with_torch),
    "keras": (keras_call, with_keras),
    "tf": (tf_call, with_tensorflow),
    "optax": (optax_call, with_jax),
    "sklearn": (sklearn_call, with_differences),
    "scipy": (scipy_call, with_differences),
    "catboost": (catboost_call, with_differences),
    "paddle": (paddle_call, with_paddle),
    "torchmetrics": (torchmetrics_call, with_torch),
    "torchvision": (torchvision_call, with_torch),
    "monai": (monai_call, with_torch),
    "smp": (smp_call, with_torch),
    "pml": (pml_call, with_torch),
    "kornia": (kornia_call, with_torch),
    "lightly": (module_call("lightly.loss"), with_torch),
    "open_clip": (module_call("open_clip.loss"), with_torch),
    "coral_pytorch": (module_call("coral_pytorch.losses"), with_torch),
    "dlordinal": (module_call("dlordinal.losses"), with_torch),
    "entmax": (module_call("entmax", "entmax.losses"), with_torch),
    "rax": (rax_call, with_jax),
    "statsmodels": (statsmodels_call, with_differences),
    "lifelines": (lifelines_call, with_differences),
    "sksurv": (sksurv_call, with_differences),
    "torchsurv": (torchsurv_call, with_torch),
    "pycox": (pycox_call, with_torch),
}

#: Packages and functions that compute in single precision, whatever they are given.
SINGLE = (
    "keras",
    "monai",
    "catboost",
    "torchsurv",
    "dlordinal",
    "torchmetrics:cosine_similarity",
    "smp:LovaszLoss",
    "paddle:npair_loss",
)
#: Packages that hold their parameters in single precision, and how near they come then.
LOOSE = {"paddle": 1e-7, "tf": 3e-7, "pycox": 5e-6}  # pycox adds 1e-7 in its logarithms
#: Parameters that are not tried, because the package does not come back: Paddle 3.3 with an index of a class to ignore.
HANGING = {"paddle:NLLLoss": ("ignore_index",)}
#: Functions that need a GPU.
ELSEWHERE = ("paddle:margin_cross_entropy",)
#: Functions whose gradient cannot be seen from outside.
VALUE_ONLY = {"catboost:LogCosh": "its exponentials are good to 1e-4, which differences make worse"}
