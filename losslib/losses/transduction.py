"""Transduction: a label sequence for an input of frames, without knowing which frame each label belongs to.

In the formula x is the array of logits of one sample, T its frames, U its labels y, and a path is the sequence of T
blanks and U labels, in any order that ends with a blank, that writes y; t and u count the blanks and labels before a
symbol.
"""

from __future__ import annotations

from losslib.declaration.schema import Equivalent, Flag, Input, Integer, Real, Reference
from losslib.declare import declare

__all__ = ["RNNTLoss", "rnnt_loss"]

#: P(k | t, u) is the probability of class k in the row of frame t and u labels; the blank is written as ∅.
LATEX = {
    "value": (
        r"L = -\log \sum_{\pi} \prod_{i=1}^{T+U} P(\pi_i \mid t_i, u_i), \qquad "
        r"P(k \mid t, u) = \frac{e^{x_{tuk}}}{\sum_c e^{x_{tuc}}}"
    ),
    "recursion": (
        r"\begin{aligned}"
        r"\alpha(t, u) &= \alpha(t-1, u)\,P(\varnothing \mid t-1, u) + \alpha(t, u-1)\,P(y_u \mid t, u-1)\\"
        r"\beta(t, u) &= \beta(t+1, u)\,P(\varnothing \mid t, u) + \beta(t, u+1)\,P(y_{u+1} \mid t, u)\\"
        r"\alpha(0, 0) &= 1, \qquad \beta(T, U) = 1, \qquad e^{-L} = \beta(0, 0)"
        r"\end{aligned}"
    ),
    "posterior": (
        r"\begin{aligned}"
        r"s_\varnothing(t, u) &= \alpha(t, u)\,P(\varnothing \mid t, u)\,\beta(t+1, u)\,e^{L}\\"
        r"s_y(t, u) &= (1 + \lambda)\,\alpha(t, u)\,P(y_{u+1} \mid t, u)\,\beta(t, u+1)\,e^{L}"
        r"\end{aligned}"
    ),
    "gradient": (
        r"\frac{\partial L}{\partial x_{tuk}} = P(k \mid t, u)\,\bigl(s_\varnothing(t, u) + s_y(t, u)\bigr)"
        r" - [\,k = \varnothing\,]\;s_\varnothing(t, u) - [\,k = y_{u+1}\,]\;s_y(t, u)"
    ),
}

rnnt_loss, RNNTLoss = declare(
    "transducer",
    "rnnt_loss",
    "RNNTLoss",
    family="sequence",
    aliases=("transducer_loss", "rnn_transducer_loss"),
    summary="Negative log-likelihood of a label sequence under an RNN transducer, summed over all alignments.",
    inputs=(
        Input(
            "logits",
            "Output of the joint network, of shape (N, T, U + 1, C): for each sample, frame and number of labels "
            "already written, the scores of the C classes, of which one is the blank. Log-probabilities with "
            "``fused_log_softmax=False``.",
            holds="row",
        ),
        Input(
            "targets",
            "Labels, integers of shape (N, U), each a class other than the blank. What stands past a sample's length "
            "is never looked at.",
            holds="class_sequence",
        ),
        Input(
            "logit_lengths",
            "Frames of each sample, N integers from 0 to T (an array, a list or a tuple).",
            holds="length",
        ),
        Input(
            "target_lengths",
            "Labels of each sample, N integers from 0 to U (an array, a list or a tuple).",
            holds="length",
        ),
    ),
    parameters=(
        Integer(
            "blank",
            -1,
            "Class of the blank, which reads the next frame instead of writing a label. Negative numbers count from "
            "the last class.",
        ),
        Real(
            "clamp",
            -1.0,
            "Limit of each entry of a sample's gradient, from ``-clamp`` to ``clamp``, before reduction, weights and "
            "`grad_output` multiply it; off unless positive.",
            examples=(0.05,),
        ),
        Flag(
            "fused_log_softmax",
            True,
            "Apply a log-softmax over the classes inside the loss. With ``False`` the input is taken for the "
            "log-probabilities themselves, and the gradient is that with respect to them.",
        ),
        Real(
            "fastemit_lambda",
            0.0,
            "Strength of FastEmit: the part of the gradient that asks for labels is multiplied by "
            "``1 + fastemit_lambda``, so that labels come earlier. The value stays what it is.",
            least=0.0,
            examples=(0.5,),
        ),
    ),
    differentiable=("logits",),
    default_wrt=("logits",),
    has_hessian=False,
    formula="-log(sum_paths(prod_i(softmax(x[t_i, u_i])[path_i])))",
    keywords={"speech": 3, "transducer": 1},
    latex=LATEX,
    symbols={"x": "logits", "y": "targets"},
    kernel="transducer",
    function_order=("blank", "clamp", "reduction", "fused_log_softmax"),
    class_order=("blank", "clamp", "reduction", "fused_log_softmax"),
    entries=("L176",),
    value_range="[0, inf] for normalised input; any number with fused_log_softmax=False on other input",
    tags=("sequence", "logits", "alignment", "smooth"),
    description=(
        "An RNN transducer reads frames and writes labels. At each step its joint network gives a distribution over "
        "the labels and a blank: a label is written and the frame stays, a blank moves to the next frame. A path of T "
        "blanks and U labels, ending with the blank that leaves the last frame, writes the target; the loss is minus "
        "the logarithm of the summed probabilities of all such paths. Frames and labels need no alignment.\n\n"
        "Unlike CTC, the distribution depends on the labels already written, several labels may belong to one frame, "
        "and a target may be longer than its input. The price is an input of N T (U + 1) C numbers. No second array "
        'of that size is made beside the gradient. ``"mean"`` divides by the number of samples, not by their lengths.'
    ),
    notes=(
        "alpha(t, u), the log-probability of reaching a node of the lattice, and beta(t, u), that of going on from "
        "there, are computed in log space and in float64 for every input type, so that no path underflows however "
        "long or peaked; they follow ``alpha(t, u) = log(exp(alpha(t-1, u) + blank(t-1, u)) + exp(alpha(t, u-1) + "
        "emit(t, u-1)))``. A step from a node has the share ``s = exp(alpha + step + beta(next) - log P)`` of all "
        "paths. The gradient with respect to a row of logits is ``softmax(x)*(s_blank + s_emit)``, minus s_blank at "
        "the blank and minus s_emit at the next label: exact, with the softmax taken into account. With "
        "``fused_log_softmax=False`` only the two negative terms remain. Past the lengths of a sample it is exactly 0 "
        "and the input is never read.\n\n"
        "FastEmit replaces s_emit by ``(1 + fastemit_lambda)*s_emit`` in these lines. That is the gradient of "
        "``L - fastemit_lambda*sum(s_emit*emit)`` with s_emit held constant, and not a derivative of the value that "
        "is returned, which is L; the same is true of a clamped gradient. `clamp` applies after FastEmit.\n\n"
        "A logit of -inf is a class of probability 0. If no path is possible the value is inf and the sample's "
        "gradient NaN, since it has no limit; ``where`` leaves such samples out. Without frames only the empty target "
        "can be written: the value is 0 for it and inf for any other. A row of -inf alone is no distribution and "
        "gives NaN."
    ),
    use_when=(
        "speech or handwriting is recognised while it arrives: the model needs no future frames and writes as it reads",
        "labels depend on each other and alignments are unknown: the prediction network sees what was written",
        "a target can be longer than its input, which CTC cannot express",
    ),
    avoid_when=(
        "labels are nearly independent given the input: ``cross_entropy`` on aligned frames, or a CTC loss, is far "
        "smaller and faster",
        "an alignment is known: cross entropy on each frame uses it",
        "T (U + 1) C numbers a sample do not fit into memory: shorten the frames or the vocabulary first",
    ),
    pitfalls=(
        "The blank is the last class by default, as in torchaudio; in Paddle, NeMo's kernels and warp-transducer it "
        "is often 0.",
        "The third axis has one entry more than the target: row u is the distribution after u labels.",
        "``fused_log_softmax=False`` on raw logits is no likelihood at all, and nothing complains. The opposite "
        "mistake, a log-softmax before the fused one, only costs time.",
        "The mean is over samples: long targets weigh more. Divide by the lengths with "
        '``reduction="none"`` if that is not wanted.',
        "Packages report other values with FastEmit: NeMo multiplies the value by ``1 + fastemit_lambda``. Paddle has "
        "it switched on by default.",
    ),
    see_also=(
        ("ctc_loss_with_logits", "at most one label a frame, each independent of the others: smaller and faster"),
        ("ctc_loss", "the same on log-probabilities"),
        ("cross_entropy", "if the label of every frame is known"),
        ("nll_loss", "if that label is known and log-probabilities are given"),
    ),
    references=(
        Reference(
            "Graves, A. (2012). Sequence transduction with recurrent neural networks. ICML Representation Learning "
            "Workshop.",
            url="https://arxiv.org/abs/1211.3711",
        ),
        Reference(
            "Yu, J., Chiu, C.-C., Li, B. et al. (2021). FastEmit: low-latency streaming ASR with sequence-level "
            "emission regularization. ICASSP 2021, 6004-6008.",
            url="https://arxiv.org/abs/2010.11148",
        ),
    ),
    equivalents=(
        Equivalent(
            "torchaudio",
            "torchaudio.functional.rnnt_loss",
            note="up to 2.8, which announces its removal; float16 and float32, targets and lengths int32, the longest "
            "lengths must fill the arrays; no FastEmit",
        ),
        Equivalent(
            "paddle",
            "paddle.nn.functional.rnnt_loss",
            "",
            {"blank": 0, "fastemit_lambda": 0.001, "fused_log_softmax": False},
            "blank 0 and fastemit_lambda 0.001 by default; on a CPU its input is log-probabilities; the mean is over "
            "samples too",
        ),
    ),
    examples="""
    One sample of two frames and the label 0 out of the classes 0, 1 and the blank, which is the last. Every class is
    equally likely, so each path of three symbols has probability 1/27; there are two of them, as the label is written
    at the first frame or at the second.

    >>> logits = np.zeros((1, 2, 2, 3))
    >>> value, grad = losslib.rnnt_loss.value_and_grad(logits, [[0]], [2], [1])
    >>> round(value, 6), round(float(np.log(27 / 2)), 6)
    (2.60269, 2.60269)
    >>> grad[0, 0, 0].round(3)  # half of the paths write the label here, half read on
    array([-0.167,  0.333, -0.167])
    """,
)
