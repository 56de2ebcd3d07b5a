"""Calls of the transducer geometry: a lattice of frames and labels for each sample (RNN-T).

The arguments are read and checked, targets and lengths copied (nobody can change them between the check and the
kernel), and one call of ``pyx/transducer.pyx`` gives the value of each sample and the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from losslib import _kernels
from losslib.call import answer, arrays, outputs
from losslib.call import samples as rows
from losslib.call.outputs import Output
from losslib.declaration import modes
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, DTypeError, ShapeError

__all__ = ["evaluate"]

_transducer: Any = _kernels.load("transducer")


def evaluate(loss: Any, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a call of a transducer loss: the value, the gradient or both, as ``mode`` says."""
    info: LossInfo = loss.info
    owner, raw, options = answer.read_call(info, mode, args, kwargs, ())
    values = loss.parameters
    logits = read_logits(raw[0])
    samples, frames, columns, classes = logits.shape
    blank = rows.read_blank(values["blank"], classes, "logits")
    with np.errstate(all="ignore"):  # infinities and NaN of weights and of float16 results are results, not warnings
        counted = rows.read_samples((samples,), values["reduction"], options)
    frame_counts = read_lengths("logit_lengths", raw[2], samples, frames, "frames", counted.mask)
    target_counts = read_lengths("target_lengths", raw[3], samples, columns - 1, "labels", counted.mask)
    targets = read_targets(raw[1], logits.shape, target_counts, blank if values["check"] else None)

    out = options.pop("out", None)
    single = True
    value_out: np.ndarray | None = None
    gradients: list[Output] = []
    if mode == modes.VALUE:
        value_out = rows.prepare_values(out, values["reduction"], (samples,), logits.dtype)
    else:
        _, single = answer.wrt_positions(info, options.pop("wrt", None), owner)
        gradients.append(outputs.prepare_gradient(out, logits, owner))

    per_sample = None if mode == modes.GRAD else np.zeros(samples, np.float64)
    if logits.size:
        _transducer.run(
            logits,
            targets,
            frame_counts,
            target_counts,
            blank=blank,
            fused=values["fused_log_softmax"],
            clamp=values["clamp"],
            fastemit=values["fastemit_lambda"],
            scale=np.ascontiguousarray(np.broadcast_to(np.float64(counted.scale), (samples,))),
            values=per_sample,
            grad=gradients[0].array if gradients else None,
        )
    elif per_sample is not None:
        per_sample[target_counts > 0] = np.inf  # no frames: only the empty sequence can be written
    value: Any = None
    if per_sample is not None:
        with np.errstate(all="ignore"):
            value = counted.reduce(per_sample, logits.dtype, value_out)
    return answer.arrange(mode, value, [item.finish() for item in gradients], single)


def read_logits(obj: Any) -> np.ndarray:
    """Read the output of the joint network, four axes of which the last two are never empty."""
    logits = arrays.read_array("logits", obj)
    if logits.ndim != 4:
        fix = "; a single sample is a batch of one: logits[numpy.newaxis]" if logits.ndim == 3 else ""
        raise ShapeError(
            f"logits has shape {logits.shape}, expected (N, T, U + 1, C): samples, frames, labels written and "
            f"classes{fix}"
        )
    if logits.shape[2] == 0 or logits.shape[3] == 0:
        what = "row for the start of the labels" if logits.shape[2] == 0 else "class"
        raise ShapeError(f"logits has shape {logits.shape}, expected (N, T, U + 1, C) with at least one {what}")
    return logits


def read_lengths(name: str, obj: Any, samples: int, most: int, what: str, mask: np.ndarray | None) -> np.ndarray:
    """Read one length for each sample as an int64 copy; masked samples have none and may hold anything."""
    array = arrays.to_numpy(name, obj)
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"{name} has dtype {array.dtype}; lengths must be integers: use {name}.astype(numpy.int64)")
    if array.shape != (samples,):
        raise ShapeError(f"{name} has shape {array.shape}, expected ({samples},): one length for each sample")
    bad = (array < 0) | (array > most)
    if mask is not None:
        bad &= mask
    if bad.any():
        position = int(np.argmax(bad))
        raise DomainError(
            f"{name}[{position}] is {int(array[position])}, expected 0 to {most}: logits has room for {most} {what}"
        )
    lengths = array.astype(np.int64)
    return lengths if mask is None else np.where(mask, lengths, 0)


def read_targets(obj: Any, logits_shape: tuple[int, ...], counts: np.ndarray, blank: int | None) -> np.ndarray:
    """Read the labels as an int64 copy whose padding is class 0; none may be the blank, unless that is None.

    The range is a matter of memory safety and always checked. Padding may hold anything.
    """
    samples, _, columns, classes = logits_shape
    shape = (samples, columns - 1)
    array = arrays.to_numpy("targets", obj)
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(
            f"targets has dtype {array.dtype}; class indices must be integers: use targets.astype(numpy.int64)"
        )
    if array.shape != shape and not (array.size == 0 and samples * (columns - 1) == 0):
        raise ShapeError(
            f"targets has shape {array.shape}, expected {shape}: for each sample the U labels that logits of shape "
            f"{logits_shape}, (N, T, U + 1, C), has room for"
        )
    array = array.reshape(shape)
    inside = np.arange(columns - 1) < counts[:, np.newaxis]
    outside = inside & ((array < 0) | (array >= classes))
    if outside.any():
        place, label = first_label(outside, array)
        raise DomainError(f"targets{place} is {label}, outside the classes: expected 0 to {classes - 1}")
    labels: np.ndarray = np.where(inside, array, 0).astype(np.int64)
    if blank is not None:
        blanks = inside & (labels == blank)
        if blanks.any():
            place, label = first_label(blanks, labels)
            raise DomainError(
                f"targets{place} is {label}, the blank, which no target contains: leave it out, or give the class "
                f"that is the blank as blank=; check=False computes the formula regardless"
            )
    return labels


def first_label(bad: np.ndarray, array: np.ndarray) -> tuple[str, int]:
    """Return the first position that is marked, as an index in brackets, and what stands there."""
    sample, k = (int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))
    return f"[{sample}, {k}]", int(array[sample, k])


answer.GEOMETRIES["transducer"] = evaluate
