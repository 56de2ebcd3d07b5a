"""Sequences: one number for a sequence of class scores against a shorter sequence of labels, over all alignments.

In the formulas x is an array of T frames and C classes, p the probabilities in it, l the target of L labels, and a path
one class for each frame. The calls of other packages take x of shape (T, N, C), padded targets t of shape (N, S), input
lengths n and target lengths m.
"""

from __future__ import annotations

from losslib.declaration.schema import Equivalent, Flag, Input, Integer, Reference
from losslib.declare import declare

__all__ = ["CTCLoss", "CTCLossWithLogits", "ctc_loss", "ctc_loss_with_logits"]

# Inputs and parameters that both losses share.

LOG_PROBS = Input(
    "log_probs",
    "Log-probabilities of the classes at every frame, the result of a log-softmax over the last axis: shape (T, N, C) "
    "for T frames, N samples and C classes, or (T, C) for a single sequence.",
    holds="row",
)
LOGITS = Input(
    "logits",
    "Scores of the classes at every frame, before a softmax over the last axis: shape (T, N, C) for T frames, N "
    "samples and C classes, or (T, C) for a single sequence.",
    holds="row",
)
TARGETS = Input(
    "targets",
    "Labels, integers from 0 to C - 1 without the blank: shape (N, S), padded to the longest with anything, or all "
    "targets in one row of length ``sum(target_lengths)``; (S,) for a single sequence.",
    holds="class_sequence",
)
INPUT_LENGTHS = Input(
    "input_lengths",
    "Frames of each sample, N integers from 0 to T; frames beyond are not looked at. A number for a single sequence.",
    holds="length",
)
TARGET_LENGTHS = Input(
    "target_lengths",
    "Labels of each sample, N integers from 0 to S. A number for a single sequence.",
    holds="length",
)
BLANK = Integer("blank", 0, "The class that stands for no label. Negative numbers count from the last class.")
ZERO_INFINITY = Flag(
    "zero_infinity",
    False,
    "Whether a sample that no path explains, whose value is infinite, counts as value 0 with gradient 0.",
)

SYMBOLS = {"t": "targets", "n": "input_lengths", "m": "target_lengths"}

GRAVES = Reference(
    "Graves, A., Fernandez, S., Gomez, F. and Schmidhuber, J. (2006). Connectionist temporal classification: labelling "
    "unsegmented sequence data with recurrent neural networks. International Conference on Machine Learning, 369-376.",
    doi="10.1145/1143844.1143891",
)
RABINER = Reference(
    "Rabiner, L. R. (1989). A tutorial on hidden Markov models and selected applications in speech recognition. "
    "Proceedings of the IEEE, 77(2), 257-286. (For the forward-backward recursion and its scaling.)",
    doi="10.1109/5.18626",
)

VALUE_LATEX = (
    r"L = -\log \sum_{\pi \in \mathcal{B}^{-1}(l)} \prod_{t=1}^{T} p_t(\pi_t), \qquad "
    r"\mathcal{B}(\pi) = \pi \text{ with repetitions merged, then blanks removed}"
)
RECURSION_LATEX = (
    r"\begin{aligned}"
    r"\alpha_t(s) &= p_t(l'_s)\,\bigl(\alpha_{t-1}(s) + \alpha_{t-1}(s-1) + [\,l'_s \ne l'_{s-2}\,]\;\alpha_{t-1}(s-2)"
    r"\bigr)\\"
    r"\beta_t(s) &= p_t(l'_s)\,\bigl(\beta_{t+1}(s) + \beta_{t+1}(s+1) + [\,l'_s \ne l'_{s+2}\,]\;\beta_{t+1}(s+2)"
    r"\bigr)\\"
    r"l' &= (\text{blank}, l_1, \text{blank}, l_2, \dots, l_L, \text{blank})"
    r"\end{aligned}"
)
POSTERIOR_LATEX = (
    r"\gamma_t(k) = \frac{\sum_{s:\,l'_s = k} \alpha_t(s)\,\beta_t(s) / p_t(k)}"
    r"{\sum_{s} \alpha_t(s)\,\beta_t(s) / p_t(l'_s)}"
)

DESCRIPTION = (
    "For training on sequences whose labels are known and whose alignment is not: speech, handwriting, sensor data. "
    "The model scores all classes and a *blank* at every frame. A path names one class a frame; merging what repeats "
    "and then leaving out blanks turns it into a sequence of labels. The probability of the target is the sum over all "
    "paths that give it, and the value is minus its logarithm."
)
NOTES = (
    "Sums over paths are kept in float64 for every dtype, forward and backward as probabilities that powers of two "
    "bring back near 1. No logarithm is taken on the way. Where a frame's total shows that a path which matters may "
    "have fallen below the range of float64 (confident scores that contradict the target), that sample is computed "
    "again in logarithms, so that T = 10000 frames and classes at -inf are safe.\n\n"
    "A target of L labels, r of which equal the one before, needs at least L + r frames. With fewer, or where every "
    "path has probability 0, the value is inf and the gradient of that sample NaN, as in PyTorch; with "
    "``zero_infinity`` both are 0. A target without labels has one path, of blanks. Frames beyond a sample's length "
    "have gradient exactly 0.\n\n"
)
PITFALLS = (
    "The blank is class 0 here, in PyTorch, Paddle, optax and Keras; MXNet and TensorFlow 1 use the last class.",
    "Time comes first: (T, N, C). A batch-first array (N, T, C) needs ``x.transpose(1, 0, 2)``, which costs no copy.",
    '``"mean"`` divides each value by the length of its target before it averages over samples, as PyTorch does; '
    "Keras, TensorFlow and optax do not divide.",
    "`input_lengths` counts the frames of the model's output, after strides and pooling, not those of the recording.",
    "A repeated label needs a blank between its two frames: for short inputs this makes a target impossible.",
)


ctc_loss, CTCLoss = declare(
    "ctc",
    "ctc_loss",
    "CTCLoss",
    family="sequence",
    aliases=("ctc", "connectionist_temporal_classification"),
    summary="Minus the log-probability of a label sequence, summed over all its alignments with frames of log-probs.",
    inputs=(LOG_PROBS, TARGETS, INPUT_LENGTHS, TARGET_LENGTHS),
    parameters=(BLANK, ZERO_INFINITY),
    kernel="log_probs",
    formula="-log(sum_paths(prod_t(exp(x_t[path_t]))))",
    keywords={"speech": 1},
    latex={
        "value": VALUE_LATEX,
        "recursion": RECURSION_LATEX,
        "posterior": POSTERIOR_LATEX,
        "gradient": r"\text{gradient}_{t,k} = e^{x_{t,k}} - \gamma_t(k), \qquad x_{t,k} = \log p_t(k)",
    },
    symbols={"x": "log_probs", **SYMBOLS},
    differentiable=("log_probs",),
    default_wrt=("log_probs",),
    has_hessian=False,
    mean_divisor="target_length",
    description=DESCRIPTION
    + "\n\nThe gradient follows PyTorch: it is the derivative with respect to the logits that ``log_probs`` were made "
    "from by a log-softmax, ``exp(log_probs) - posterior``, and not the derivative of the value with respect to "
    "``log_probs`` themselves, which is minus the posterior. Passed back through a log-softmax it stays what it is, "
    "because each frame's entries add up to 0. ``ctc_loss_with_logits`` does all of it in one pass.",
    notes=NOTES + "Inputs need not be normalised: the value is that of the numbers given, and the gradient keeps its "
    "form. A class at -inf has gradient 0, where PyTorch gives NaN.",
    use_when=(
        "log-probabilities are at hand already: to score transcripts, or in code written for PyTorch",
        "another part of the model needs the log-softmax too, and its backward pass runs elsewhere",
    ),
    avoid_when=(
        "the model ends in a linear layer: ``ctc_loss_with_logits`` is faster and its gradient is exact",
        "labels may be longer than the input, or depend on one another: use a transducer or attention",
        "the alignment is known: ``cross_entropy`` a frame is simpler and learns faster",
    ),
    pitfalls=(
        "Logits in place of log-probabilities give no error, only another loss: use ``ctc_loss_with_logits``.",
        "Differences of the value with respect to `log_probs` do not agree with the gradient, by PyTorch's convention.",
        *PITFALLS,
    ),
    see_also=(
        ("ctc_loss_with_logits", "takes logits and returns the exact gradient"),
        ("rnnt_loss", "labels that depend on each other, or more labels than frames"),
        ("nll_loss", "where the class of every frame is known"),
    ),
    references=(GRAVES, RABINER),
    equivalents=(
        Equivalent("torch", "ctc_loss", "torch.nn.functional.ctc_loss(x, t, n, m)"),
        Equivalent(
            "torch",
            "CTCLoss",
            "torch.nn.CTCLoss(reduction='none', zero_infinity=True)(x, t, n, m)",
            {"reduction": "none", "zero_infinity": True},
        ),
        Equivalent("paddle", "ctc_loss", "", {}, "Takes logits, with the same mean: see ctc_loss_with_logits."),
    ),
    examples="""
    >>> log_probs = np.log([[0.6, 0.4], [0.5, 0.5]])     # two frames, blank and one label
    >>> round(losslib.ctc_loss(log_probs, [1], 2, 1), 6)     # -log(0.4*0.5 + 0.4*0.5 + 0.6*0.5)
    0.356675
    >>> value, grad = losslib.ctc_loss.value_and_grad(log_probs, [1], 2, 1)
    >>> grad.round(4)
    array([[ 0.1714, -0.1714],
           [ 0.2143, -0.2143]])
    """,
    tags=("sequence", "log-probabilities", "alignment", "smooth"),
    function_order=("blank", "reduction", "zero_infinity"),
    class_order=("blank", "reduction", "zero_infinity"),
    entries=("L175",),
    value_range="(-inf, inf]",
)


ctc_loss_with_logits, CTCLossWithLogits = declare(
    "ctc",
    "ctc_loss_with_logits",
    "CTCLossWithLogits",
    family="sequence",
    aliases=("ctc_with_logits", "CTCWithLogitsLoss", "warp_ctc"),
    summary="Minus the log-probability of a label sequence, summed over all its alignments with frames of logits.",
    inputs=(LOGITS, TARGETS, INPUT_LENGTHS, TARGET_LENGTHS),
    parameters=(BLANK, ZERO_INFINITY),
    kernel="logits",
    formula="-log(sum_paths(prod_t(softmax(x_t)[path_t])))",
    keywords={"speech": 2},
    latex={
        "value": VALUE_LATEX,
        "recursion": RECURSION_LATEX,
        "posterior": POSTERIOR_LATEX,
        "gradient": r"\frac{\partial L}{\partial x_{t,k}} = p_t(k) - \gamma_t(k), \qquad p_t = \operatorname{softmax}"
        r"(x_t)",
    },
    symbols={"x": "logits", **SYMBOLS},
    differentiable=("logits",),
    default_wrt=("logits",),
    has_hessian=False,
    mean_divisor="target_length",
    description=DESCRIPTION
    + "\n\nThe log-softmax is part of the loss: no array of log-probabilities is made, and the gradient is the exact "
    "derivative of the value with respect to the logits, ``softmax(logits) - posterior``, where the posterior is the "
    "share of the target's paths that emit a class at a frame. With ``out=logits`` the gradient takes the place of "
    "the logits and the call needs next to no memory.",
    notes=NOTES + "The gradient of the classes in the target is the difference of probability and posterior in "
    "float64, rounded once; it keeps its digits where both are near 1.",
    use_when=(
        "training a recogniser whose labels are not aligned: this is the form to use",
        "memory is short: with ``out=logits`` nothing of the size of the logits is allocated",
    ),
    avoid_when=(
        "labels may be longer than the input, or depend on one another: use a transducer or attention",
        "the alignment is known: ``cross_entropy`` a frame is simpler and learns faster",
    ),
    pitfalls=(
        "Log-probabilities as input are no error and change nothing but time: a softmax of them is what they were.",
        *PITFALLS,
    ),
    see_also=(
        ("ctc_loss", "takes log-probabilities, with PyTorch's convention for the gradient"),
        ("rnnt_loss", "labels that depend on each other, or more labels than frames"),
        ("cross_entropy", "where the class of every frame is known"),
    ),
    references=(GRAVES, RABINER),
    equivalents=(
        Equivalent(
            "torch",
            "ctc_loss",
            "torch.nn.functional.ctc_loss(torch.log_softmax(x, 2), t, n, m)",
        ),
        Equivalent(
            "optax",
            "ctc_loss",
            "optax.ctc_loss(x.transpose(1, 0, 2), 1.0 * (jax.numpy.arange(x.shape[0]) >= n[:, None]), t, "
            "1.0 * (jax.numpy.arange(t.shape[1]) >= m[:, None]))",
            {"reduction": "none"},
            "Batch first, with paddings in place of lengths; an impossible target gives about 1e5 there, inf here.",
        ),
        Equivalent("tensorflow", "nn.ctc_loss", "", {}, "Values a sample, not divided by lengths: reduction='none'."),
        Equivalent("keras", "losses.CTC", "", {}, "Takes label lengths from labels that are not 0; not divided."),
    ),
    examples="""
    >>> logits = np.zeros((2, 2))                        # two frames, blank and one label
    >>> round(losslib.ctc_loss_with_logits(logits, [1], 2, 1), 6)     # three of four paths give it: -log(3/4)
    0.287682
    >>> value, grad = losslib.ctc_loss_with_logits.value_and_grad(logits, [1], 2, 1)
    >>> grad.round(4)
    array([[ 0.1667, -0.1667],
           [ 0.1667, -0.1667]])
    """,
    tags=("sequence", "logits", "alignment", "smooth"),
    function_order=("blank", "reduction", "zero_infinity"),
    class_order=("blank", "reduction", "zero_infinity"),
    entries=("L175",),
    value_range="[0, inf]",
)
