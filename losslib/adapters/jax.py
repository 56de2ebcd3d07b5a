"""Losses as JAX functions: compiled by losslib, called back from JAX, differentiable, under ``jit`` and ``vmap``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from losslib import geometries
from losslib._kernels.loss import Loss
from losslib.adapters import binding
from losslib.adapters.reading import read_labels
from losslib.errors import ParameterError

__all__ = ["loss_function"]


def loss_function(loss: Any, **parameters: Any) -> Callable[..., jax.Array]:
    """Return a loss as a differentiable JAX function.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    callable
        ``function(*inputs, sample_weight=None, where=None)``, which returns a number, or with ``reduction="none"`` an
        array, of the type that JAX promotes the inputs to, its default float type where all are integers. It has a
        gradient with respect to the inputs that the loss offers derivatives for. Under ``vmap`` it is called once for
        each element of the batch.

    Examples
    --------
    >>> import jax
    >>> from losslib.adapters.jax import loss_function
    >>> huber = loss_function("huber")
    >>> prediction, target = jax.numpy.array([0.5, 3.0]), jax.numpy.zeros(2)
    >>> value, gradient = jax.jit(jax.value_and_grad(huber))(prediction, target)
    >>> float(value), gradient.tolist()
    (1.3125, [0.25, 0.5])
    """
    bound = binding.bind(loss, parameters)
    node = _node(bound)
    names = binding.info_of(bound).input_names

    def function(*inputs: Any, sample_weight: Any = None, where: Any = None) -> jax.Array:
        if len(inputs) != len(names):
            raise TypeError(f"{bound!r} takes {len(names)} inputs ({', '.join(names)}), got {len(inputs)}")
        options = {"sample_weight": sample_weight, "where": where}
        given = {name: _read(name, value) for name, value in options.items() if value is not None}
        result: jax.Array = node(tuple(map(_read, names, inputs)), given)
        return result

    function.__doc__ = f"Return the value of {bound!r} for ({', '.join(names)})."
    return function


def _node(loss: Loss) -> Any:
    """Return the differentiable primitive of a loss: a function of (inputs, options), a tuple and a dictionary."""
    info = binding.info_of(loss)
    reduced = loss.reduction != "none"

    def value_struct(inputs: tuple[Any, ...]) -> jax.ShapeDtypeStruct:
        shape = () if reduced else values_shape(loss, inputs)
        return jax.ShapeDtypeStruct(shape, value_dtype(inputs))

    def compute_value(inputs: tuple[Any, ...], options: dict[str, Any]) -> np.ndarray:
        value = loss(*map(np.asarray, inputs), **_arrays(options))
        return np.asarray(value, dtype=value_dtype(inputs))

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def node(inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return _call(compute_value, value_struct(inputs), inputs, options)

    def forward(inputs: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, Any]:
        wrt = tuple(name for name, item in zip(info.input_names[: len(inputs)], inputs, strict=True) if item.perturbed)
        for name in wrt:
            if name not in info.differentiable:
                raise ParameterError(
                    f"{info.name} has no derivative with respect to {name}; it offers {', '.join(info.differentiable)}"
                )
        if any(item.perturbed for item in options.values()):
            raise ParameterError("sample_weight and where have no derivative; use jax.lax.stop_gradient on them")
        plain = tuple(item.value for item in inputs)
        given = {name: item.value for name, item in options.items()}
        structs = {
            name: jax.ShapeDtypeStruct(item.shape, item.dtype)
            for name, item in zip(info.input_names[: len(plain)], plain, strict=True)
            if name in wrt
        }
        if not reduced:  # each value has an upstream gradient of its own: the gradients wait until it is known
            return node(plain, given), (plain, given, dict.fromkeys(wrt, ()))

        def compute_both(inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
            value, grads = loss.value_and_grad(*map(np.asarray, inputs), wrt=wrt, **_arrays(options))
            return np.asarray(value, dtype=value_dtype(inputs)), dict(zip(wrt, grads, strict=True))

        value, grads = _call(compute_both, (value_struct(plain), structs), plain, given)
        return value, (plain, given, grads)

    def backward(kept: Any, upstream: Any) -> Any:
        inputs, options, grads = kept  # the keys of `grads` are the inputs that were differentiated
        wrt = tuple(grads)
        if reduced:
            by_name = {name: upstream * grad for name, grad in grads.items()}
        else:

            def compute_grads(inputs: tuple[Any, ...], options: dict[str, Any], upstream: Any) -> Any:
                return loss.grad(
                    *map(np.asarray, inputs), wrt=wrt, grad_output=np.asarray(upstream), **_arrays(options)
                )

            structs = tuple(
                jax.ShapeDtypeStruct(item.shape, item.dtype)
                for name, item in zip(info.input_names[: len(inputs)], inputs, strict=True)
                if name in wrt
            )
            found = _call(compute_grads, structs, inputs, options, upstream)
            by_name = dict(zip(wrt, found, strict=True))
        return tuple(by_name.get(name) for name in info.input_names[: len(inputs)]), dict.fromkeys(options)

    node.defvjp(forward, backward, symbolic_zeros=True)
    return node


def _call(compute: Callable[..., Any], result: Any, *operands: Any) -> Any:
    """Call back from a compiled computation; a batch of ``vmap`` calls once for each of its elements."""
    return jax.pure_callback(compute, result, *operands, vmap_method="sequential")


def _arrays(options: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in options.items()}


def _read(name: str, value: Any) -> jax.Array:
    """Return an argument as a JAX array; masks and nulls, which JAX would drop, are errors."""
    if not isinstance(value, jax.Array | int | float):
        value = read_labels(name, value)
    return jnp.asarray(value)


def value_dtype(inputs: tuple[Any, ...]) -> np.dtype[Any]:
    """Return the type of the value: JAX's promotion of the inputs, integers becoming its default float type."""
    dtype: np.dtype[Any] = np.dtype(jnp.result_type(*(item.dtype for item in inputs), 1.0))
    return dtype


def values_shape(loss: Loss, inputs: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the shape of the values that are not reduced, as the geometry reads it off class 0, no frames and ones."""
    term = binding.first_term(loss)
    info = binding.info_of(term)
    stand_ins = []
    for declared, item in zip(info.inputs, inputs, strict=False):
        array = np.full(item.shape, 0 if declared.indices and item.dtype.kind in "iu" else 1, np.dtype(item.dtype))
        if declared.name == "target_lengths" and inputs[1].ndim == item.ndim == 1:
            array[:1] = inputs[1].size  # all labels in one row belong to some sample
        stand_ins.append(array)
    values = {**term.parameters, "check": False}
    return geometries.find(info.geometry).read(info, values, stand_ins, {}).value_shape
