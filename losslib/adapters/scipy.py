"""Objectives for ``scipy.optimize.minimize``: the loss of a model's prediction as a function of its parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from losslib._kernels.loss import Loss
from losslib.adapters import binding
from losslib.adapters.reading import read_labels, read_numbers, read_weights
from losslib.errors import ParameterError, ShapeError

__all__ = ["Objective", "objective"]


class Objective:
    """The loss of a model as a function of its parameters; made by `objective`.

    Attributes
    ----------
    loss : Loss
        The loss.
    target : ndarray
        What the predictions are compared with.
    """

    def __init__(self, loss: Loss, model: Any, target: Any, sample_weight: Any, l2: Any) -> None:
        self.loss = loss
        self.target = target
        self._model = model
        self._is_linear = hasattr(model, "shape")  # a LinearOperator can be called too
        self._sample_weight = sample_weight
        self._l2 = l2
        self._seen: tuple[np.ndarray, np.ndarray, Any, np.ndarray | None] | None = None

    def predict(self, parameters: np.ndarray) -> tuple[np.ndarray, Any]:
        """Return the prediction of the model and its Jacobian (of a linear model: its matrix)."""
        if not self._is_linear:
            prediction, jacobian = self._model(parameters)
            return read_numbers("prediction", prediction), jacobian
        columns = self._model.shape[1]
        if parameters.size % columns:
            raise ShapeError(
                f"{parameters.size} parameters do not fit a linear model of {columns} columns; "
                f"expected {columns} for one output, or {columns} times the number of outputs"
            )
        outputs = parameters.size // columns
        table = parameters if outputs == 1 else parameters.reshape(columns, outputs)
        return np.asarray(self._model @ table, dtype=np.float64), self._model

    def __call__(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return (value, gradient) at the parameters."""
        prediction, jacobian = self.predict(parameters)
        value, slope = self.loss.value_and_grad(prediction, self.target, sample_weight=self._sample_weight)
        gradient = self._pull_back(jacobian, slope) + self._l2 * parameters
        return value + 0.5 * float(np.sum(self._l2 * parameters**2)), gradient

    def hessp(self, parameters: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """Return the product of the Hessian with a vector, for ``hessp=``.

        For a model that is not linear this is the Gauss-Newton product JᵀHJv: it leaves out the curvature of the model.
        """
        _, prediction, jacobian, hess = self._at(parameters)
        if not hasattr(jacobian, "shape"):
            raise ParameterError("hessp needs the Jacobian of the model as a matrix; it returned a function")
        table = vector.reshape(-1, prediction.shape[1]) if self._is_linear and prediction.ndim == 2 else vector
        direction = np.asarray(jacobian @ table).reshape(prediction.shape)
        product = hess * direction if hess is not None else self._moved_gradient(prediction, direction)
        return np.asarray(self._pull_back(jacobian, product) + self._l2 * vector)

    def _at(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any, np.ndarray | None]:
        """Return what the products at these parameters share; the last point is kept."""
        if self._seen is None or not np.array_equal(self._seen[0], parameters):
            prediction, jacobian = self.predict(parameters)
            hess = None
            if not binding.takes_rows(self.loss) and binding.info_of(self.loss).has_hessian:
                _, _, hess = self.loss.value_grad_hess(prediction, self.target, sample_weight=self._sample_weight)
            self._seen = (np.array(parameters), prediction, jacobian, hess)
        return self._seen

    def _moved_gradient(self, prediction: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Differentiate the gradient along a direction: for losses of rows the diagonal is not the whole Hessian."""
        length = float(np.abs(direction).max(initial=0.0))
        if length == 0.0:
            return np.zeros_like(prediction)
        step = float(np.cbrt(np.finfo(np.float64).eps)) * max(1.0, float(np.abs(prediction).max())) / length
        ahead = self.loss.grad(prediction + step * direction, self.target, sample_weight=self._sample_weight)
        behind = self.loss.grad(prediction - step * direction, self.target, sample_weight=self._sample_weight)
        return np.asarray((ahead - behind) / (2.0 * step))

    def _pull_back(self, jacobian: Any, slope: np.ndarray) -> np.ndarray:
        if not hasattr(jacobian, "shape"):
            return np.asarray(jacobian(slope), dtype=np.float64)
        table = slope if self._is_linear else slope.reshape(-1)
        return np.asarray(jacobian.T @ table, dtype=np.float64).reshape(-1)


def objective(
    loss: Any, model: Any, target: Any, *, sample_weight: Any = None, l2: Any = 0.0, **parameters: Any
) -> Objective:
    """Return the loss of a model's prediction as an objective for ``scipy.optimize.minimize``.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name; it must reduce to a number.
    model : array_like, sparse matrix, LinearOperator or callable
        A matrix X of shape ``(n, p)`` is the linear model ``X @ parameters``; p·k parameters give k outputs, as a table
        of shape ``(p, k)``. A function takes the parameters and returns ``(prediction, jacobian)``, the Jacobian as
        a matrix of shape ``(prediction.size, p)`` or as a function that multiplies its transpose by an array of the
        shape of the prediction.
    target : array_like
        What the predictions are compared with.
    sample_weight : array_like, optional
        One weight for each sample: finite, not negative, and not 0 everywhere.
    l2 : float or array_like, default 0.0
        Adds ``0.5 * sum(l2 * parameters**2)``; one number for all parameters or one for each.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    Objective
        Called with the parameters it returns (value, gradient): pass it with ``jac=True``. Its method ``hessp`` is the
        product of the Hessian with a vector, exact for linear models and losses of elements; for losses of rows it is
        a central difference of gradients, good to about 1e-9.

    Raises
    ------
    ParameterError
        If the loss compares no single prediction with a target, or has ``reduction="none"``.

    Examples
    --------
    >>> import scipy.optimize
    >>> from losslib.adapters.scipy import objective
    >>> X, y = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), np.array([1.0, 3.0, 5.0])
    >>> fun = objective("mse_loss", X, y)
    >>> fit = scipy.optimize.minimize(fun, np.zeros(2), jac=True, hessp=fun.hessp, method="Newton-CG")
    >>> fit.x.round(6)
    array([1., 2.])
    """
    bound = binding.bind(loss, parameters)
    binding.require_input_and_target(bound, "an objective")
    if bound.reduction == "none":
        raise ParameterError('reduction="none" gives no number to minimise; use "mean" or "sum"')
    if not (callable(model) or scipy.sparse.issparse(model)):  # a LinearOperator can be called
        model = read_numbers("model", model)
    weight = None if sample_weight is None else read_weights("sample_weight", sample_weight)
    return Objective(bound, model, read_labels("target", target), weight, read_numbers("l2", l2))
