"""What a call can be asked for, and the arguments that it takes then."""

from __future__ import annotations

__all__ = ["ARGUMENTS", "GRAD", "MODE_NAMES", "VALUE", "VALUE_AND_GRAD", "VALUE_GRAD_HESS"]

VALUE, GRAD, VALUE_AND_GRAD, VALUE_GRAD_HESS = range(4)
MODE_NAMES = ("", ".grad", ".value_and_grad", ".value_grad_hess")

#: Call arguments that every mode takes, and those that only derivatives take.
VALUE_ARGUMENTS = ("sample_weight", "where", "out")
DERIVATIVE_ARGUMENTS = ("sample_weight", "where", "out", "grad_output", "wrt")
HESSIAN_ARGUMENTS = ("sample_weight", "where", "out", "wrt")
ARGUMENTS = (VALUE_ARGUMENTS, DERIVATIVE_ARGUMENTS, DERIVATIVE_ARGUMENTS, HESSIAN_ARGUMENTS)
