"""Sequences: one number for a sequence of class scores against a shorter sequence of labels, over all alignments.

In the formulas of CTC x is an array of T frames and C classes, p the probabilities in it, l the target of L labels, and
a path one class for each frame. The calls of other packages take x of shape (T, N, C), padded targets t of shape
(N, S), input lengths n and target lengths m.

In those of the transducer x is the array of logits of one sample, T its frames, U its labels y, and a path is the
sequence of T blanks and U labels, in any order that ends with a blank, that writes y; t and u count the blanks and
labels before a symbol.
"""

from __future__ import annotations

from losslib.declaration.schema import Equivalent, Flag, Input, Integer, Real, Reference
from losslib.declare import declare

__all__ = ["CTCLoss", "CTCLossWithLogits", "RNNTLoss", "ctc_loss", "ctc_loss_with_logits", "rnnt_loss"]

# Inputs and parameters that both forms of CTC share.

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
    r"\alpha_1(1) &= p_1(\text{blank}), \quad \alpha_1(2) = p_1(l_1), \quad \alpha_1(s) = 0 \text{ for } s > 2\\"
    r"\alpha_t(s) &= p_t(l'_s)\,\bigl(\alpha_{t-1}(s) + \alpha_{t-1}(s-1) + [\,l'_s \ne l'_{s-2}\,]\;\alpha_{t-1}(s-2)"
    r"\bigr)\\"
    r"\beta_T(2L+1) &= p_T(\text{blank}), \quad \beta_T(2L) = p_T(l_L), \quad \beta_T(s) = 0 \text{ for } s < 2L\\"
    r"\beta_t(s) &= p_t(l'_s)\,\bigl(\beta_{t+1}(s) + \beta_{t+1}(s+1) + [\,l'_s \ne l'_{s+2}\,]\;\beta_{t+1}(s+2)"
    r"\bigr)\\"
    r"p(l) &= \alpha_T(2L+1) + \alpha_T(2L), \qquad "
    r"l' = (\text{blank}, l_1, \text{blank}, l_2, \dots, l_L, \text{blank})"
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
    "The blank is class 0 here, in PyTorch, Paddle, optax and Keras; MXNet's Gluon and TensorFlow 1 use the last.",
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
        "the order of the labels is known but not where each of them is: speech, handwriting, events in a signal",
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
        "the order of the labels is known but not where each of them is: speech, handwriting, events in a signal",
        "training from a linear layer: this is the form to use",
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

#: P(k | t, u) is the probability of class k in the row of frame t and u labels; the blank is written as ∅.
TRANSDUCER_LATEX = {
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
    latex=TRANSDUCER_LATEX,
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
