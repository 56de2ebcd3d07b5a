"""The derivatives of row losses as pages print them, in the formula language with ``k`` for the entry moved.

None of it is taken on trust: the build compares each with the kernel (``rowformulas``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mpmath
import taylor
from taylor import Taylor

if TYPE_CHECKING:
    from rowformulas import Row

_SMOOTHED = "(t_c*(1 - label_smoothing) + label_smoothing/C)"


def sparse_threshold(row: Row) -> Taylor:
    """Return tau with sum_c max(x_c - tau, 0) = 1, by sorting."""
    ordered = sorted(row.rows["x"], reverse=True)
    total, tau = Taylor(mpmath.mpf(0)), Taylor(mpmath.mpf(0))
    for count, number in enumerate(ordered, 1):
        total = total + number
        if number - (total - 1) / count > 0:
            tau = (total - 1) / count
    return tau


def tempered_softmax(row: Row) -> list[Taylor]:
    """Return exp_t(x_c - m, t2) with the m that makes the sum 1; Newton's steps carry the derivatives along."""
    x, heat = row.rows["x"], mpmath.mpf(row.numbers["t2"])

    def shares(m: Taylor) -> list[Taylor]:
        if heat == 1:
            return [taylor.exp(number - m) for number in x]
        return [(1 + (1 - heat) * (number - m)) ** (1 / (1 - heat)) for number in x]

    m = max(x) + 0  # each share is at most 1 and falls with m, so Newton's steps rise to the root
    for _ in range(60):
        p = shares(m)
        slope = sum((number**heat for number in p), Taylor(mpmath.mpf(0)))
        m = m + (sum(p, Taylor(mpmath.mpf(0))) - 1) / slope
    return shares(m)


#: What the letters of a formula stand for, by loss and by geometry: texts over ``c``, or functions of a row.
DEFINITIONS: dict[str, dict[str, Any]] = {
    "softmax": {"p": "exp(x_c - lse(x))", "q": "exp(t_c - lse(t))", "y": _SMOOTHED},
    "distillation_loss": {
        "p": "exp(x_c/temperature - lse(x/temperature))",
        "q": "exp(t_c/temperature - lse(t/temperature))",
    },
    "js_div": {"m": "beta*q_c + (1 - beta)*p_c"},
    "categorical_cross_entropy": {"s": "sum_c(x_c)"},
    "sparsemax_loss": {"tau": sparse_threshold, "p": "max(x_c - tau, 0)"},
    "bi_tempered_logistic_loss": {"p": tempered_softmax},
    "multi_margin_loss": {"h": "where(c == t, 0, where(margin - x_t + x_c > 0, p*(margin - x_t + x_c)**(p - 1), 0))"},
}

#: The letters whose definition the page shows.
SHOWN = {
    "softmax_focal_loss": ("y",), "cross_entropy": ("y",), "js_div": ("m",),
    "bi_tempered_logistic_loss": ("y",), "categorical_cross_entropy": ("s", "y"), "multi_margin_loss": ("h",),
}  # fmt: skip

GRADIENTS: dict[str, str | dict[str, str]] = {
    "cross_entropy": "p_k*sum_c(w_c*y_c) - w_k*y_k + 2*z_loss*lse(x)*p_k",
    "nll_loss": "-w_k*t_k",
    "categorical_cross_entropy": "sum_c(w_c*y_c)/s - w_k*y_k/x_k",
    "softmax_focal_loss": (
        "sum_c(alpha_c*y_c*((1 - p_c)**gamma - gamma*p_c*(1 - p_c)**(gamma - 1)*log(p_c))*(p_k - (c == k)))"
    ),
    "poly1_cross_entropy": "p_k - t_k + epsilon*p_k*(sum_c(t_c*p_c) - t_k)",
    "generalized_cross_entropy": "p_k*sum_c(t_c*p_c**q) - t_k*p_k**q",
    "symmetric_cross_entropy": (
        "alpha*(p_k - t_k) + beta*p_k*(sum_c(p_c*max(log(t_c), -4)) - max(log(t_k), -4))"
    ),
    "bi_tempered_logistic_loss": (
        "(p_k - y_k)*p_k**(t2 - t1) - p_k**t2*sum_c((p_c - y_c)*p_c**(t2 - t1))/sum_c(p_c**t2)"
    ),
    "sparsemax_loss": "max(x_k - tau, 0) - t_k",
    "js_div": (
        "where(beta == 0, p_k - q_k, where(beta == 1, p_k*(log(p_k/q_k) - sum_c(p_c*log(p_c/q_c))), "
        "(1 - beta)*p_k*(log(p_k/m_k) - sum_c(p_c*log(p_c/m_c)))))"
    ),
    "distillation_loss": "temperature*(p_k - q_k)",
    "multi_margin_loss": "weight[t]*where(k == t, -sum_c(h_c), h_k)/C",
    "multilabel_margin_loss": (
        "where(k in targets, -sum_c(where(c in targets, 0, where(1 - x_k + x_c > 0, 1, 0))), "
        "sum_j(where(1 - x_j + x_k > 0, 1, 0)))/C"
    ),
    "crammer_singer_loss": (
        "where(margin + max_c(where(c == t, -inf, x_c)) - x_t > 0, 1, 0)"
        "*(where(x_k == max_c(where(c == t, -inf, x_c)), 1, 0)*where(k == t, 0, 1) - where(k == t, 1, 0))"
    ),
    "categorical_hinge_loss": (
        "where(1 + max_c((1 - t_c)*x_c) - sum_c(t_c*x_c) > 0, 1, 0)"
        "*((1 - t_k)*where((1 - t_k)*x_k == max_c((1 - t_c)*x_c), 1, 0) - t_k)"
    ),
    "multiclass_perceptron_loss": "where(x_k == max_c(x_c), 1, 0) - where(k == t, 1, 0)",
    "cosine_similarity_loss": "x_k*cos(x, t)/norm(x)**2 - t_k/(norm(x)*norm(t))",
    "cosine_embedding_loss": {
        "input1": (
            "where(t == 1, -1, where(cos(x1, x2) > margin, 1, 0))"
            "*(x2_k/(norm(x1)*norm(x2)) - x1_k*cos(x1, x2)/norm(x1)**2)"
        ),
        "input2": (
            "where(t == 1, -1, where(cos(x1, x2) > margin, 1, 0))"
            "*(x1_k/(norm(x1)*norm(x2)) - x2_k*cos(x1, x2)/norm(x2)**2)"
        ),
    },
    "contrastive_loss": {
        "input1": "2*(t - (1 - t)*max(0, margin - norm(x1 - x2))/norm(x1 - x2))*(x1_k - x2_k)",
        "input2": "2*(t - (1 - t)*max(0, margin - norm(x1 - x2))/norm(x1 - x2))*(x2_k - x1_k)",
    },
}  # fmt: skip

HESSIANS: dict[str, str] = {
    "cross_entropy": "p_k*(1 - p_k)*sum_c(w_c*y_c) + 2*z_loss*(p_k**2 + lse(x)*p_k*(1 - p_k))",
    "nll_loss": "0",
}
