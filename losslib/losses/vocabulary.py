"""Cross-entropies over large vocabularies: fused with the last layer, or over a sample of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib.declaration.schema import Array, Equivalent, Input, Integer, Real, Reference
from losslib.declare import declare
from losslib.losses.multiclass import (
    EMPTY,
    IGNORE_INDEX,
    LABEL_SMOOTHING,
    WEIGHT,
)

__all__ = [
    "LinearCrossEntropy",
    "NCELoss",
    "SampledSoftmaxLoss",
    "linear_cross_entropy",
    "nce_loss",
    "sampled_softmax_loss",
]


def _linear_kernel(values: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    softcap = values["softcap"]
    return ("cross_entropy", ()) if softcap is None else ("capped_cross_entropy", (float(softcap),))


CHUNK_ROWS = Integer(
    "chunk_rows",
    None,
    "Rows whose logits exist at a time. None: as many as make 32 MiB, at least 64.",
    least=1,
    optional=True,
)

linear_cross_entropy, LinearCrossEntropy = declare(
    "linear_softmax",
    "linear_cross_entropy",
    "LinearCrossEntropy",
    family="vocabulary",
    aliases=("fused_linear_cross_entropy", "cut_cross_entropy", "chunked_cross_entropy"),
    summary="Cross entropy of the logits of a linear layer, without the array of all logits.",
    inputs=(
        Input("input", "Hidden states of shape (…, D).", holds="row"),
        Input(
            "linear_weight",
            "Weights of the layer, one vector for each class, of shape (C, D).",
            holds="row",
            shared=True,
        ),
        Input(
            "target",
            "Class indices of the shape of the input without its last axis, or probabilities of shape (…, C).",
            holds="class",
            or_row=True,
        ),
        Input("linear_bias", "Bias of the layer, of shape (C,).", holds="row", optional=True, shared=True),
    ),
    parameters=(
        WEIGHT,
        IGNORE_INDEX,
        LABEL_SMOOTHING,
        Real("z_loss", 0.0, "Factor of ``lse(logits)**2``, as in cross_entropy.", least=0.0, examples=(1e-4, 0.1)),
        Real(
            "softcap",
            None,
            "Bound of the logits: x becomes ``softcap*tanh(x/softcap)``. None leaves them alone.",
            above=0.0,
            optional=True,
            examples=(5.0, 30.0),
        ),
        EMPTY,
        CHUNK_ROWS,
    ),
    kernel=_linear_kernel,
    formula="cross_entropy(input @ linear_weight.T + linear_bias, target)",
    latex={"value": r"-\log\operatorname{softmax}(W h + b)_t"},
    symbols={"x": "input", "t": "target"},
    differentiable=("input", "linear_weight", "target", "linear_bias"),
    default_wrt=("input", "linear_weight"),
    has_hessian=False,
    mean_divisor="weight",
    description=(
        "The last layer of a language model turns hidden states into logits over a vocabulary of a hundred thousand "
        "tokens, an array far larger than everything else. Here logits exist for a chunk of rows only: they become "
        "their own gradient in place, which two products take back to hidden states and weights. The result is that of "
        "``cross_entropy`` of the product, with all of its options.\n\n"
        "Rows whose target is ignored or masked leave before the product and cost nothing."
    ),
    notes=(
        "The products are ``numpy.matmul``'s, on the threads of NumPy's BLAS; losslib's own threads change no bit. "
        "Beyond inputs and gradients there are 32 MiB of logits. Half types are computed in float32, weights widened "
        "by blocks of classes; their gradient is summed in float32. Only the products that ``wrt`` asks for are "
        "computed."
    ),
    use_when=(
        "the vocabulary is large: memory is bounded by chunk_rows and not by the number of tokens",
        "much of a batch is padding or prompt: ignored rows are free",
    ),
    avoid_when=(
        "the logits are needed anyway: ``cross_entropy``",
        "there are few classes: one product and ``cross_entropy`` are as fast",
    ),
    pitfalls=(
        "The gradient by the weights is dense, C x D; that by probabilities as target is as large as the logits.",
        "PyTorch takes the same names in the same order; its function has no z_loss and no softcap.",
    ),
    see_also=(
        ("cross_entropy", "takes the logits"),
        ("adaptive_log_softmax_with_loss", "rare classes in clusters of their own"),
        ("sampled_softmax_loss", "a few sampled classes"),
        ("hsigmoid_loss", "a path through a tree of classes"),
    ),
    references=(
        Reference(
            "Wijmans, E., Huval, B., Hertzberg, A., Koltun, V. and Krähenbühl, P. (2025). Cut your losses in "
            "large-vocabulary language models. International Conference on Learning Representations.",
            url="https://arxiv.org/abs/2411.09009",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "cross_entropy",
            "torch.nn.functional.cross_entropy(x @ linear_weight.T + linear_bias, t)",
            {},
            "The logits of the layer first.",
        ),
    ),
    examples=""">>> hidden = np.array([[1.0, 0.0], [0.0, 2.0]])
>>> weight = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
>>> losslib.linear_cross_entropy(hidden, weight, [0, 1], reduction="none").round(4)
array([0.4076, 0.1429])
>>> round(losslib.cross_entropy(hidden @ weight.T, [0, 1]), 4)
0.2753
>>> value, (by_hidden, by_weight) = losslib.linear_cross_entropy.value_and_grad(hidden, weight, [0, -100])
>>> by_hidden.round(4)
array([[-0.4248,  0.1547],
       [ 0.    ,  0.    ]])
""",
    tags=("multi-class", "hidden states", "soft labels", "smooth", "proper"),
    value_range="[0, inf]",
)

SAMPLED = Input(
    "input",
    "Logits of shape (N, T + S): those of the T true classes of each row first, then those of S sampled classes that "
    "all rows share.",
    holds="row",
)
TRUE = Integer("num_true", 1, "How many columns hold true classes, T.", least=1)
EXPECTED = (
    TRUE,
    Array(
        "true_log_expected",
        None,
        "Logarithm of how often each true class is expected in the sample, of shape (N, T); subtracted from its logit.",
    ),
    Array(
        "sampled_log_expected",
        None,
        "The same of each sampled class, of shape (S,).",
    ),
    Array(
        "accidental_hits",
        None,
        "1 where a sampled class is a true class of the row, of shape (N, S): it leaves the sample.",
        least=0.0,
    ),
)
JEAN = Reference(
    "Jean, S., Cho, K., Memisevic, R. and Bengio, Y. (2015). On using very large target vocabulary for neural machine "
    "translation. Annual Meeting of the Association for Computational Linguistics, 1-10.",
    doi="10.3115/v1/P15-1001",
)
GUTMANN = Reference(
    "Gutmann, M. U. and Hyvärinen, A. (2012). Noise-contrastive estimation of unnormalized statistical models, with "
    "applications to natural image statistics. Journal of Machine Learning Research, 13(11), 307-361.",
    url="https://www.jmlr.org/papers/v13/gutmann12a.html",
)

sampled_softmax_loss, SampledSoftmaxLoss = declare(
    "sampled",
    "sampled_softmax_loss",
    "SampledSoftmaxLoss",
    family="vocabulary",
    aliases=("sampled_softmax",),
    summary="Cross entropy of the true classes among a sample of all classes, corrected for how they were sampled.",
    inputs=(SAMPLED,),
    parameters=EXPECTED,
    kernel="sampled_softmax",
    formula="sum_true(lse(x - log(Q)) - (x_t - log(Q_t)))/T",
    latex={"value": r"\log\sum_c e^{x_c - \log Q_c} - \frac{1}{T}\sum_{t}(x_t - \log Q_t)"},
    symbols={"x": "input"},
    description=(
        "A softmax over a few sampled classes and the true one stands for that over all. Subtracting the logarithm of "
        "how often a class is expected in the sample makes its gradient tend to that of the whole softmax as the "
        "sample grows. The caller draws the sample and gathers the vectors."
    ),
    notes="Accidental hits have the logit -inf: value and gradient 0. The Hessian is the diagonal ``p*(1 - p)``.",
    use_when=(
        "there are very many classes and the full softmax is too slow to train with",
        "rows share one sample of classes, so that one product gives all logits",
    ),
    avoid_when=(
        "the full softmax fits: ``linear_cross_entropy`` is exact",
        "probabilities are evaluated: the sample says nothing about the others",
    ),
    pitfalls=(
        "Without the expected counts a class is pushed down as often as it is sampled: frequent ones end up too low.",
        "TensorFlow's function of this name gathers the vectors too.",
    ),
    see_also=(("nce_loss", "each class a question of its own"), ("linear_cross_entropy", "all classes")),
    references=(JEAN,),
    equivalents=(
        Equivalent("tensorflow", "nn.sampled_softmax_loss", note="It samples and gathers as well."),
        Equivalent("torch", "cross_entropy", "-torch.log_softmax(x, 1)[:, 0].mean()", {}, "Without corrections."),
    ),
    examples=""">>> logits = np.array([[2.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
>>> losslib.sampled_softmax_loss(logits, sampled_log_expected=np.log([0.5, 0.1]), reduction="none").round(4)
array([1.5993, 2.5649])
>>> value, gradient = losslib.sampled_softmax_loss.value_and_grad(logits)
>>> gradient.round(4)
array([[-0.1674,  0.045 ,  0.1224],
       [-0.3333,  0.1667,  0.1667]])
""",
    tags=("multi-class", "logits", "sampled", "convex", "smooth"),
)

nce_loss, NCELoss = declare(
    "sampled",
    "nce_loss",
    "NCELoss",
    family="vocabulary",
    aliases=("nce", "noise_contrastive_estimation", "negative_sampling"),
    summary="Logistic losses of telling the true classes from sampled ones, corrected for how they were sampled.",
    inputs=(SAMPLED,),
    parameters=EXPECTED,
    kernel="nce",
    formula="sum_c(softplus(x_c - log(Q_c)) - (c is true)*(x_c - log(Q_c))/T)",
    latex={"value": r"\sum_c \operatorname{softplus}(x_c - \log Q_c) - \frac{1}{T}\sum_t (x_t - \log Q_t)"},
    symbols={"x": "input"},
    description=(
        "Every column is a question: is it a class of the data or noise? With the expected counts subtracted, the "
        "logits become logarithms of probabilities without any normalisation; without them it is the negative sampling "
        "of word vectors."
    ),
    notes=(
        "A row is the sum over its columns, as in TensorFlow. Accidental hits have the logit -inf: value and gradient "
        "0. The Hessian is the diagonal ``p*(1 - p)``."
    ),
    use_when=(
        "there are very many classes and no normalised probabilities are needed: word vectors, retrieval",
        "a row has several true classes",
    ),
    avoid_when=(
        "probabilities are needed: ``linear_cross_entropy``",
        "the sample is small: ``sampled_softmax_loss`` learns faster",
    ),
    pitfalls=(
        "With several true classes the target of each is 1/T, as in TensorFlow.",
        "NCE is not InfoNCE, which is ``info_nce_loss``.",
    ),
    see_also=(
        ("sampled_softmax_loss", "a softmax over the sample"),
        ("binary_cross_entropy_with_logits", "one of its questions"),
    ),
    references=(GUTMANN,),
    equivalents=(
        Equivalent("tensorflow", "nn.nce_loss", note="It samples and gathers as well."),
        Equivalent(
            "torch",
            "softplus",
            "(torch.nn.functional.softplus(x).sum(1) - x[:, 0]).mean()",
            {},
            "Without corrections.",
        ),
    ),
    examples=""">>> logits = np.array([[2.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
>>> losslib.nce_loss(logits, reduction="none").round(4)
array([2.1333, 2.9398])
>>> value, gradient = losslib.nce_loss.value_and_grad(logits)
>>> gradient.round(4)
array([[-0.0596,  0.25  ,  0.3655],
       [-0.1345,  0.3655,  0.3655]])
""",
    tags=("multi-class", "logits", "sampled", "convex", "smooth"),
)
