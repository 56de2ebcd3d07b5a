"""Losses as PyTorch criteria on CPU tensors: value and gradients in one pass, memory shared with the tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from losslib._kernels.loss import Loss
from losslib.adapters import binding
from losslib.errors import DTypeError

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


class LossFunction(torch.autograd.Function):  # type: ignore[misc]
    """A loss as a node of PyTorch's graph; used through `Criterion`."""

    @staticmethod
    def forward(ctx: Any, loss: Loss, options: dict[str, Any], *inputs: torch.Tensor) -> torch.Tensor:
        """Compute the value and, for the inputs that need them, the gradients."""
        names = binding.info_of(loss).input_names
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
        if ctx.reduced:
            return torch.tensor(value, dtype=inputs[0].dtype)
        return to_tensor(value)

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
        *inputs : Tensor
            The inputs of the loss, in its order.
        sample_weight : Tensor, optional
            One weight for each sample or element.
        where : Tensor of bool, optional
            What to count.

        Returns
        -------
        Tensor
            A number, or with ``reduction="none"`` one value for each element or sample; of the dtype of the first
            input.
        """
        names = binding.info_of(self.loss).input_names
        if len(inputs) != len(names):
            raise TypeError(f"{self.loss!r} takes {len(names)} inputs ({', '.join(names)}), got {len(inputs)}")
        dtype = next((item.dtype for item in inputs if isinstance(item, torch.Tensor)), None)
        if dtype is None:
            raise TypeError(f"{names[0]} must be a tensor, got {type(inputs[0]).__name__}")
        tensors = [item if isinstance(item, torch.Tensor) else torch.as_tensor(item, dtype=dtype) for item in inputs]
        options = {
            name: to_array(name, value)
            for name, value in (("sample_weight", sample_weight), ("where", where))
            if value is not None
        }
        result: torch.Tensor = LossFunction.apply(self.loss, options, *tensors)
        return result

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
