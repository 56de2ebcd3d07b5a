"""Losses as PyTorch criteria on CPU tensors: value and gradients in one pass, memory shared with the tensors."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

from losslib._kernels.loss import Loss
from losslib.adapters import binding
from losslib.adapters.reading import read_labels, read_numbers
from losslib.call.arrays import refuse_masked
from losslib.errors import DTypeError, ParameterError

__all__ = ["Criterion", "LossFunction", "criterion"]


def to_array(name: str, value: Any) -> Any:
    """Return the array that shares a tensor's memory; what is no tensor stays as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.device.type != "cpu":
        raise DTypeError(f"{name} is on {value.device}; losslib computes on the CPU: use {name}.cpu()")
    plain = value.detach()
    if plain.dtype == torch.bfloat16:
        import ml_dtypes  # NumPy has no bfloat16 of its own

        return plain.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return plain.numpy()


def to_tensor(array: np.ndarray) -> torch.Tensor:
    """Return the tensor that shares an array's memory."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def value_dtype(inputs: tuple[torch.Tensor, ...]) -> torch.dtype:
    """Return the type of the value: PyTorch's promotion of the inputs, integers becoming its default float type.

    As in PyTorch a tensor without axes does not promote one with axes.
    """
    floats = [item for item in inputs if item.is_floating_point()]
    found = [item.dtype for item in floats if item.ndim] or [item.dtype for item in floats]
    return functools.reduce(torch.promote_types, found) if found else torch.get_default_dtype()


class LossFunction(torch.autograd.Function):  # type: ignore[misc]
    """A loss as a node of PyTorch's graph; used through `Criterion`."""

    @staticmethod
    def forward(ctx: Any, loss: Loss, options: dict[str, Any], *inputs: torch.Tensor) -> torch.Tensor:
        """Compute the value and, for the inputs that need them, the gradients."""
        names = binding.info_of(loss).input_names[: len(inputs)]  # the last may be optional
        arrays = [to_array(name, value) for name, value in zip(names, inputs, strict=True)]
        ctx.wrt = tuple(name for name, needed in zip(names, ctx.needs_input_grad[2:], strict=True) if needed)
        ctx.reduced = loss.reduction != "none"
        ctx.names = names
        if not ctx.wrt:
            value = loss(*arrays, **options)
        elif ctx.reduced:
            value, grads = loss.value_and_grad(*arrays, wrt=ctx.wrt, **options)
            ctx.save_for_backward(*map(to_tensor, grads))
        else:  # each value has an upstream gradient of its own: the gradients are computed when it is known
            value = loss(*arrays, **options)
            ctx.loss, ctx.options = loss, options
            ctx.save_for_backward(*inputs)
        dtype = value_dtype(inputs)
        return torch.tensor(value, dtype=dtype) if ctx.reduced else to_tensor(value).to(dtype)

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[Any, ...]:
        """Multiply the gradients by the upstream gradient."""
        if torch.is_grad_enabled():  # create_graph=True: without this the second derivative would silently be 0
            raise RuntimeError(
                "the backward pass of a losslib criterion cannot be differentiated again: create_graph=True is not "
                "supported; use value_grad_hess of the loss for second derivatives"
            )
        if ctx.reduced:
            grads = [grad * grad_output for grad in ctx.saved_tensors]
        else:
            arrays = [to_array(name, value) for name, value in zip(ctx.names, ctx.saved_tensors, strict=True)]
            upstream = to_array("grad_output", grad_output)
            found = ctx.loss.grad(*arrays, grad_output=upstream, wrt=ctx.wrt, **ctx.options)
            grads = [to_tensor(grad) for grad in found]
        by_name = dict(zip(ctx.wrt, grads, strict=True))
        return (None, None, *(by_name.get(name) for name in ctx.names))


class Criterion(torch.nn.Module):  # type: ignore[misc]
    """A loss as a module that is called as ``torch.nn``'s losses are; made by `criterion`.

    Parameters
    ----------
    loss : Loss
        The loss.
    """

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, *inputs: Any, sample_weight: Any = None, where: Any = None) -> torch.Tensor:
        """Return the loss.

        Parameters
        ----------
        *inputs : Tensor or array_like
            The inputs of the loss, in its order, at least one of them a tensor. Classes and lengths may be tuples,
            lists or ints; other arrays and numbers become tensors of the type of the value.
        sample_weight : Tensor, optional
            One weight for each sample or element; it has no gradient.
        where : Tensor of bool, optional
            What to count.

        Returns
        -------
        Tensor
            A number, or with ``reduction="none"`` one value for each element or sample; of the type that PyTorch
            promotes the inputs to, its default float type where all are integers.

        Raises
        ------
        ParameterError
            If a gradient is asked for that the loss does not offer, or one of `sample_weight` or `where`.
        """
        names = binding.info_of(self.loss).input_names
        if len(inputs) != len(names):
            raise TypeError(f"{self.loss!r} takes {len(names)} inputs ({', '.join(names)}), got {len(inputs)}")
        given = tuple(item for item in inputs if isinstance(item, torch.Tensor))
        if not given:
            for name, item in zip(names, inputs, strict=True):
                refuse_masked(name, item)
            raise TypeError(f"{names[0]} must be a tensor, got {type(inputs[0]).__name__}")
        dtype = value_dtype(given)
        tensors = [
            item if isinstance(item, torch.Tensor) else self._read(name, item, dtype)
            for name, item in zip(names, inputs, strict=True)
        ]
        options: dict[str, Any] = {}
        for name, value in (("sample_weight", sample_weight), ("where", where)):
            if isinstance(value, torch.Tensor) and value.requires_grad and torch.is_grad_enabled():
                raise ParameterError(f"{name} requires a gradient, and losslib offers none; pass {name}.detach()")
            if value is not None:
                options[name] = to_array(name, value)
        result: torch.Tensor = LossFunction.apply(self.loss, options, *tensors)
        return result

    def _read(self, name: str, value: Any, dtype: torch.dtype) -> torch.Tensor:
        """Return what is no tensor as one: of integers for classes and lengths, else of the type of the value."""
        info = binding.info_of(self.loss)
        declared = info.inputs[info.input_names.index(name)]
        if declared.indices or declared.holds == "member":
            array = read_labels(name, value)
            if array.dtype.kind in "iu" or not array.size:
                return torch.from_numpy(array.astype(np.int64))
        return to_tensor(read_numbers(name, value).copy()).to(dtype)

    def extra_repr(self) -> str:
        """Show the loss in the representation of a model."""
        return repr(self.loss)


def criterion(loss: Any, **parameters: Any) -> Criterion:
    """Return a loss as a PyTorch module for CPU tensors.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    Criterion
        The module. Its backward pass cannot be differentiated again: ``create_graph=True`` is an error.

    Examples
    --------
    >>> import torch
    >>> from losslib.adapters.torch import criterion
    >>> prediction = torch.tensor([0.5, 3.0], requires_grad=True)
    >>> value = criterion("huber")(prediction, torch.tensor([0.0, 0.0]))
    >>> value.backward()
    >>> value.item(), prediction.grad.tolist()
    (1.3125, [0.25, 0.5])
    """
    return Criterion(binding.bind(loss, parameters))
