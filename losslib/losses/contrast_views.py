"""Two views of the same things, row by row: contrast with the rest of the batch, or independent features."""

from __future__ import annotations

from typing import Any

from losslib.declaration.schema import Equivalent, Flag, Input, Real, Reference
from losslib.declare import declare

__all__ = [
    "AlignmentLoss",
    "BarlowTwinsLoss",
    "CLIPLoss",
    "InfoNCELoss",
    "NPairsLoss",
    "SigLIPLoss",
    "UniformityLoss",
    "VICRegLoss",
    "alignment_loss",
    "barlow_twins_loss",
    "clip_loss",
    "info_nce_loss",
    "n_pairs_loss",
    "siglip_loss",
    "uniformity_loss",
    "vicreg_loss",
]

ONE = Input("input1", "Vectors of one view, of shape (N, D).", holds="row")
TWO = Input("input2", "Vectors of the other view, of shape (N, D); row i of both is a pair.", holds="row")
NORMALIZE = Flag(
    "normalize",
    True,
    "Divide each vector by its length first; the gradient goes through it. Vectors of length 1 stay as they are.",
)
SYMBOLS = {"x": "input1", "y": "input2"}

PRODUCTS = (
    "The products come from ``numpy.matmul``, at most 32 MiB of similarities at a time, and each row becomes its own "
    "gradient in place: no array of N x N is kept. Half types are computed in float32. NumPy's BLAS uses threads of "
    "its own; losslib's change no bit."
)
VALUES = "With normalize, a vector of length 0 stays 0 and its gradient is 0."


def views(name: str, class_name: str, **fields: Any) -> Any:
    """Declare a loss of two views; what all of them share is filled in."""
    fields.setdefault("inputs", (ONE, TWO))
    fields.setdefault("differentiable", ("input1", "input2"))
    fields.setdefault("default_wrt", ("input1", "input2"))
    fields.setdefault("symbols", SYMBOLS)
    fields["notes"] = " ".join([fields.pop("notes", ""), PRODUCTS]).strip()
    return declare("similarity", name, class_name, family="contrastive", has_hessian=False, **fields)


CHEN = Reference(
    "Chen, T., Kornblith, S., Norouzi, M. and Hinton, G. (2020). A simple framework for contrastive learning of visual "
    "representations. International Conference on Machine Learning, PMLR 119, 1597-1607.",
    url="https://arxiv.org/abs/2002.05709",
)
OORD = Reference(
    "van den Oord, A., Li, Y. and Vinyals, O. (2018). Representation learning with contrastive predictive coding.",
    url="https://arxiv.org/abs/1807.03748",
)
WANG = Reference(
    "Wang, T. and Isola, P. (2020). Understanding contrastive representation learning through alignment and uniformity "
    "on the hypersphere. International Conference on Machine Learning, PMLR 119, 9929-9939.",
    url="https://arxiv.org/abs/2005.10242",
)

info_nce_loss, InfoNCELoss = views(
    "info_nce_loss",
    "InfoNCELoss",
    aliases=("info_nce", "simclr", "moco", "mnrl", "multiple_negatives_ranking_loss", "in_batch_negatives"),
    summary="Cross entropy of picking the other view of a vector among all vectors of the batch.",
    inputs=(
        ONE,
        TWO,
        Input(
            "negatives",
            "More candidates for every row, of shape (K, D), or for each row its own, (N, K, D).",
            holds="row",
            optional=True,
        ),
    ),
    parameters=(
        Real("temperature", 0.07, "Divides the similarities.", above=0.0, examples=(0.5, 1.0)),
        Flag("symmetric", False, "Take the mean of both directions, each view among the other."),
        Flag("intra", False, "Let a row meet the other rows of its own view too, as SimCLR does."),
        Flag("decoupled", False, "Leave the positive out of the candidates (Yeh et al. 2022)."),
        Flag("in_batch", True, "Take the other rows of the batch as candidates; False leaves the negatives alone."),
        NORMALIZE,
    ),
    kernel="info_nce",
    formula="lse_j(x_i @ y_j/temperature) - x_i @ y_i/temperature",
    latex={
        "value": r"-\frac{s_{ii}}{\tau} + \log\sum_{j \in C_i} e^{s_{ij}/\tau},\quad s_{ij} = \frac{x_i \cdot y_j}"
        r"{\|x_i\|\,\|y_j\|}"
    },
    differentiable=("input1", "input2", "negatives"),
    description=(
        "Two vectors of the same thing, made by two views, two encoders or two sentences, should find each other among "
        "everything else in the batch. Each row is a classification with its pair as the right class: a cross entropy "
        "of similarities over a temperature. It is the loss of SimCLR (``symmetric=True, intra=True``), of MoCo (a "
        "queue as ``negatives``) and of sentence embeddings (temperature 0.05)."
    ),
    notes=VALUES,
    use_when=(
        "there are pairs that belong together and no labels: augmentations, translations, questions with answers",
        "hard negatives were mined: pass them beside the batch",
    ),
    avoid_when=(
        "several rows of a batch mean the same: they push each other away; ``supcon_loss`` takes labels",
        "batches are small: there is little to contrast with; ``siglip_loss`` and ``barlow_twins_loss`` need less",
    ),
    pitfalls=(
        "The temperature is the parameter that matters most: 0.05 to 0.1 for normalised vectors.",
        "Do not put both views into one batch; pass them apart.",
        "The value is at most about log(N) for a model that knows nothing, and depends on the size of the batch.",
    ),
    see_also=(
        ("clip_loss", "both directions with a learnable scale"),
        ("nt_xent_loss", "positives by label"),
        ("supcon_loss", "several positives in a row"),
    ),
    references=(OORD, CHEN),
    equivalents=(
        Equivalent(
            "torch",
            "cross_entropy",
            "torch.nn.functional.cross_entropy(torch.nn.functional.normalize(x1) @ torch.cat([torch.nn.functional."
            "normalize(x2), torch.nn.functional.normalize(negatives)]).T / 0.07, torch.arange(len(x1)))",
            {},
            "By its definition.",
        ),
        Equivalent("lightly", "NTXentLoss", note="``NTXentLoss(0.5)`` is temperature=0.5, symmetric, intra."),
        Equivalent("lightly", "DCLLoss", note="The same with decoupled=True."),
        Equivalent(
            "sentence_transformers", "MultipleNegativesRankingLoss", note="scale=20 is temperature=0.05, of embeddings."
        ),
    ),
    examples=""">>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
>>> y = np.array([[0.8, 0.6], [0.6, 0.8]])
>>> round(losslib.info_nce_loss(x, y, temperature=1.0), 4)
0.5981
>>> by_x, by_y = losslib.info_nce_loss.grad(x, y, temperature=1.0)
>>> by_x.round(4)
array([[0.   , 0.045],
       [0.045, 0.   ]])

Value and gradient come from one pass:

>>> value, (by_input1, by_input2) = losslib.info_nce_loss.value_and_grad(x, y, temperature=1.0)
>>> by_input1.round(4)
array([[0.   , 0.045],
       [0.045, 0.   ]])
""",
    tags=("contrastive", "vectors", "self-supervised", "smooth"),
    value_range="[0, inf) for decoupled=False, any real number else",
)

SCALE = Input(
    "logit_scale",
    "What multiplies the similarities, a number that is learnt: exp of what CLIP keeps as a parameter.",
    optional=True,
    default=14.2857,
)

clip_loss, CLIPLoss = views(
    "clip_loss",
    "CLIPLoss",
    aliases=("clip", "open_clip_loss", "contrastive_image_text"),
    summary="Mean of the cross entropies of finding the text of an image and the image of a text in a batch.",
    inputs=(ONE, TWO, SCALE),
    parameters=(NORMALIZE,),
    kernel="clip",
    formula="lse_j(scale*s_ij)/2 + lse_j(scale*s_ji)/2 - scale*s_ii",
    latex={
        "value": r"\tfrac{1}{2}\log\sum_j e^{\alpha s_{ij}} + \tfrac{1}{2}\log\sum_j e^{\alpha s_{ji}} - \alpha s_{ii}"
    },
    differentiable=("input1", "input2", "logit_scale"),
    description=(
        "Images and texts are embedded by two encoders, and each must find its partner among those of the batch. The "
        "scale, one over a temperature, is learnt with them: ``wrt='logit_scale'`` gives its gradient."
    ),
    notes=(
        f"{VALUES} The sums over columns come from a first sweep over the products, so that the second computes the "
        "gradient of both directions at once."
    ),
    use_when=(
        "two kinds of things are embedded into one space in large batches",
        "retrieval goes both ways: texts for an image and images for a text",
    ),
    avoid_when=(
        "the batch is spread over machines: ``siglip_loss`` needs no sums over all of it",
        "several rows mean the same: they count as wrong",
    ),
    pitfalls=(
        "``logit_scale`` is what multiplies, 14.2857 = 1/0.07 at the beginning; CLIP keeps its logarithm and clips it "
        "at 100.",
        "open_clip expects normalised vectors; here normalize=True does no harm to them.",
    ),
    see_also=(
        ("info_nce_loss", "one direction, more candidates"),
        ("siglip_loss", "every pair a question of its own"),
    ),
    references=(
        Reference(
            "Radford, A., Kim, J. W., Hallacy, C., Ramesh, A., Goh, G., Agarwal, S. et al. (2021). Learning "
            "transferable visual models from natural language supervision. International Conference on Machine "
            "Learning, PMLR 139, 8748-8763.",
            url="https://arxiv.org/abs/2103.00020",
        ),
    ),
    equivalents=(
        Equivalent("open_clip", "ClipLoss", note="``ClipLoss()(x, y, scale)`` of normalised vectors."),
        Equivalent(
            "torch",
            "cross_entropy",
            "sum(torch.nn.functional.cross_entropy(logit_scale * torch.nn.functional.normalize(a) @ "
            "torch.nn.functional.normalize(b).T, torch.arange(len(a))) for a, b in ((x1, x2), (x2, x1))) / 2",
            {},
            "By its definition.",
        ),
    ),
    examples=""">>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
>>> y = np.array([[0.8, 0.6], [0.6, 0.8]])
>>> round(losslib.clip_loss(x, y, 10.0), 4)
0.1269
>>> round(float(losslib.clip_loss.grad(x, y, 10.0, wrt="logit_scale")), 4)
-0.0238

Value and gradient come from one pass:

>>> value, (by_input1, by_input2) = losslib.clip_loss.value_and_grad(x, y, 10.0)
>>> by_input1.round(4)
array([[0.    , 0.1192],
       [0.1192, 0.    ]])
""",
    tags=("contrastive", "vectors", "self-supervised", "smooth"),
)

siglip_loss, SigLIPLoss = views(
    "siglip_loss",
    "SigLIPLoss",
    aliases=("siglip", "sigmoid_contrastive_loss"),
    summary="Logistic loss of the question whether two vectors belong together, for all pairs of a batch.",
    inputs=(
        ONE,
        TWO,
        Input("logit_scale", "What multiplies the similarities, a number that is learnt.", optional=True, default=10.0),
        Input("logit_bias", "What is added to them, a number that is learnt.", optional=True, default=-10.0),
    ),
    parameters=(NORMALIZE,),
    kernel="siglip",
    formula="sum_j(softplus(-z_ij*(scale*s_ij + bias)))",
    latex={
        "value": r"\sum_j \operatorname{softplus}\bigl(-z_{ij}(\alpha s_{ij} + b)\bigr),\quad z_{ij} = 2[i = j] - 1"
    },
    differentiable=("input1", "input2", "logit_scale", "logit_bias"),
    description=(
        "Every pair of the batch is a question of its own, answered with yes on the diagonal. There is no sum over the "
        "batch to normalise by, so it can be cut in any way and small batches do well. The bias begins at -10, since "
        "nearly all answers are no."
    ),
    notes=f'{VALUES} The mean divides by the number of rows, not of pairs, as its authors do; ``"none"`` gives rows.',
    use_when=(
        "two kinds of things are embedded into one space and batches are small, or spread over machines",
        "the best threshold of a similarity is to be learnt: the bias is one",
    ),
    avoid_when=(
        "the best of the batch is what counts and not each by itself: ``clip_loss``",
        "batches are tiny and negatives rare: it learns to say no",
    ),
    pitfalls=("Without the bias the first steps are spent on pushing everything apart.",),
    see_also=(("clip_loss", "a softmax over the batch"), ("binary_cross_entropy_with_logits", "one of its questions")),
    references=(
        Reference(
            "Zhai, X., Mustafa, B., Kolesnikov, A. and Beyer, L. (2023). Sigmoid loss for language image pre-training. "
            "International Conference on Computer Vision, 11975-11986.",
            doi="10.1109/ICCV51070.2023.01100",
        ),
    ),
    equivalents=(
        Equivalent("open_clip", "SigLipLoss", note="``SigLipLoss()(x, y, scale, bias)`` of normalised vectors."),
        Equivalent(
            "torch",
            "logsigmoid",
            "-torch.nn.functional.logsigmoid((2 * torch.eye(len(x1)) - 1).double() * (logit_scale * "
            "torch.nn.functional.normalize(x1) @ torch.nn.functional.normalize(x2).T + logit_bias)).sum() / len(x1)",
            {},
            "By its definition.",
        ),
    ),
    examples=""">>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
>>> y = np.array([[0.8, 0.6], [0.6, 0.8]])
>>> round(losslib.siglip_loss(x, y), 4)
2.1451

Value and gradient come from one pass:

>>> value, (by_input1, by_input2) = losslib.siglip_loss.value_and_grad(x, y)
>>> by_input1.round(4)
array([[ 0.    , -2.5704],
       [-2.5704,  0.    ]])
""",
    tags=("contrastive", "vectors", "self-supervised", "smooth"),
)

n_pairs_loss, NPairsLoss = views(
    "n_pairs_loss",
    "NPairsLoss",
    aliases=("n_pairs", "npair_loss", "npairs"),
    summary="Cross entropy of the class of a vector among the positives of a batch, with a penalty of long vectors.",
    inputs=(
        ONE,
        TWO,
        Input(
            "target",
            "Labels, integers of shape (N,): pairs of the same label are all right.",
            holds="member",
            optional=True,
        ),
    ),
    parameters=(
        Real("l2_reg", 0.002, "Weight of the squared lengths.", least=0.0, examples=(0.0, 1.0)),
        Flag("normalize", False, "Divide each vector by its length first."),
    ),
    kernel="n_pairs",
    formula="lse_j(x_i @ y_j) - mean_P(x_i @ y_p) + l2_reg*(x_i**2 + y_i**2)/4",
    latex={
        "value": r"\log\sum_j e^{x_i\cdot y_j} - \frac{1}{|P_i|}\sum_{p \in P_i} x_i\cdot y_p + "
        r"\frac{\lambda}{4}\bigl(\|x_i\|^2 + \|y_i\|^2\bigr)"
    },
    description=(
        "One of the first losses to use a whole batch: the anchor should be nearer to its positive than to those of "
        "all other classes. Vectors keep their lengths, which a small penalty bounds."
    ),
    notes="Positives are all columns of the label of the row, its own pair among them.",
    use_when=("results of the paper are to be reproduced", "lengths of vectors carry meaning"),
    avoid_when=(
        "vectors are compared by angle: ``info_nce_loss``",
        "lengths should carry no meaning: the penalty only bounds them",
    ),
    pitfalls=(
        "PyTorch Metric Learning normalises by default; pass DotProductSimilarity(normalize_embeddings=False) there.",
        "Products of long vectors saturate: the default penalty is small.",
    ),
    see_also=(("info_nce_loss", "angles and a temperature"), ("supcon_loss", "one batch with labels")),
    references=(
        Reference(
            "Sohn, K. (2016). Improved deep metric learning with multi-class N-pair loss objective. Advances in Neural "
            "Information Processing Systems, 29, 1857-1865.",
            url="https://papers.nips.cc/paper/6200",
        ),
    ),
    equivalents=(
        Equivalent("paddle", "npair_loss", note="The same names."),
        Equivalent(
            "torch",
            "log_softmax",
            "-((t[:, None] == t).double() / (t[:, None] == t).sum(1, keepdim=True) * torch.log_softmax(x1 @ x2.T, "
            "1)).sum(1).mean() + 0.0005 * ((x1 ** 2).sum(1).mean() + (x2 ** 2).sum(1).mean())",
            {},
            "By its definition.",
        ),
    ),
    examples=""">>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
>>> round(losslib.n_pairs_loss(x, x, l2_reg=0.0), 4)
0.3133
>>> round(losslib.n_pairs_loss(x, x, [1, 1], l2_reg=0.0), 4)
0.8133

Value and gradient come from one pass:

>>> value, (by_input1, by_input2) = losslib.n_pairs_loss.value_and_grad(x, x, l2_reg=0.0)
>>> by_input1.round(4)
array([[-0.1345,  0.1345],
       [ 0.1345, -0.1345]])
""",
    tags=("contrastive", "vectors", "smooth"),
)

alignment_loss, AlignmentLoss = views(
    "alignment_loss",
    "AlignmentLoss",
    aliases=("alignment",),
    summary="Mean distance between the two views of a thing, to a power.",
    parameters=(
        Real("alpha", 2.0, "Power of the distance.", above=0.0, examples=(1.0, 3.0)),
        NORMALIZE,
    ),
    kernel="alignment",
    formula="norm(x - y)**alpha",
    latex={"value": r"\|x_i - y_i\|^\alpha"},
    description=(
        "Half of what contrastive losses do: views of the same thing should agree. Alone it is satisfied by a "
        "constant; ``uniformity_loss`` of both views is the other half."
    ),
    notes=f"{VALUES} A distance of 0 has the gradient 0, for every power.",
    use_when=(
        "both halves are to be weighted and watched apart",
        "two encoders should agree on paired things",
    ),
    avoid_when=(
        "it would be the only loss: every encoder collapses",
        "pairs are noisy: a power of 2 follows the worst",
    ),
    pitfalls=("For alpha < 1 gradients grow without bound as views agree.",),
    see_also=(("uniformity_loss", "the other half"), ("cosine_embedding_loss", "pairs with labels")),
    references=(WANG,),
    equivalents=(
        Equivalent(
            "torch",
            "normalize",
            "(torch.nn.functional.normalize(x1) - torch.nn.functional.normalize(x2)).square().sum(1).mean()",
            {},
            "By its definition.",
        ),
        Equivalent("lightly", "HypersphereLoss", note="Adds the mean of ``uniformity_loss`` of both views."),
    ),
    examples=""">>> x, y = np.array([[1.0, 0.0]]), np.array([[0.6, 0.8]])
>>> round(losslib.alignment_loss(x, y), 4)
0.8

Value and gradient come from one pass:

>>> value, (by_input1, by_input2) = losslib.alignment_loss.value_and_grad(x, y)
>>> by_input1.round(4)
array([[ 0. , -1.6]])
""",
    tags=("vectors", "self-supervised", "smooth"),
)

uniformity_loss, UniformityLoss = views(
    "uniformity_loss",
    "UniformityLoss",
    per="batch",
    aliases=("uniformity",),
    summary="Logarithm of the mean Gaussian potential between the vectors of a batch: low when they are spread out.",
    inputs=(Input("input", "Vectors of shape (N, D), N at least 2.", holds="row"),),
    differentiable=("input",),
    default_wrt=("input",),
    symbols={"x": "input"},
    parameters=(Real("t", 2.0, "Sharpness of the potential.", above=0.0, examples=(0.5, 5.0)), NORMALIZE),
    kernel="uniformity",
    formula="log(mean_(i<j)(exp(-t*norm(x_i - x_j)**2)))",
    latex={"value": r"\log\frac{2}{N(N - 1)}\sum_{i < j} e^{-t\|x_i - x_j\|^2}"},
    reductions=("mean", "sum"),
    value_range="[-inf, 0]",
    description=(
        "Half of what contrastive losses do: vectors should use the whole sphere. It is one number of a batch. With "
        "``alignment_loss`` it makes a self-supervised loss of two terms that can be watched apart."
    ),
    notes=f"{VALUES} Potentials are added as logarithms, so that vectors far apart do not underflow.",
    use_when=(
        "a batch must not collapse, beside any other loss of vectors",
        "the spread of an embedding is to be watched: it is a metric too",
    ),
    avoid_when=(
        "classes should form clusters: they are what it dissolves",
        "batches are tiny: a mean over a few pairs",
    ),
    pitfalls=("Pass the two views apart, and add the mean of both: together, pairs would push each other away.",),
    see_also=(("alignment_loss", "the other half"), ("vicreg_loss", "spreads features instead")),
    references=(WANG,),
    equivalents=(
        Equivalent(
            "torch",
            "pdist",
            "torch.pdist(torch.nn.functional.normalize(x)).square().mul(-2).exp().mean().log()",
            {},
            "By its definition.",
        ),
    ),
    examples=""">>> round(losslib.uniformity_loss([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), 4)
-4.3963

Value and gradient come from one pass:

>>> value, gradient = losslib.uniformity_loss.value_and_grad([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
>>> gradient.round(4)
array([[0.    , 1.9819],
       [0.    , 0.    ],
       [0.    , 1.9819]])
""",
    tags=("vectors", "self-supervised", "smooth", "batch"),
)

barlow_twins_loss, BarlowTwinsLoss = views(
    "barlow_twins_loss",
    "BarlowTwinsLoss",
    per="batch",
    aliases=("barlow_twins",),
    summary="Distance of the correlations between the features of two views from the identity.",
    parameters=(
        Real(
            "off_diagonal_weight",
            0.005,
            "Weight of the correlations between different features.",
            least=0.0,
            examples=(0.0, 1.0),
        ),
        Real("eps", 1e-5, "What is added to the variance of a feature.", above=0.0, examples=(0.1,)),
    ),
    kernel="barlow_twins",
    formula="sum_i((1 - C_ii)**2) + off_diagonal_weight*sum_(i != j)(C_ij**2)",
    latex={
        "value": r"\sum_i (1 - C_{ii})^2 + \lambda\sum_{i \neq j} C_{ij}^2",
        "with": r"C = \frac{1}{N}\,\tilde X^\top \tilde Y,\quad \tilde x = \frac{x - \operatorname{mean}}"
        r"{\sqrt{\operatorname{var} + \varepsilon}}",
    },
    reductions=("mean", "sum"),
    description=(
        "No negatives at all: each feature should be the same in both views, and features should not repeat each "
        "other. It works with small batches and gains from many features."
    ),
    notes=(
        "Variances are biased. Where there are fewer rows than features, the sum of all squared correlations is "
        "computed from the products of the rows, N x N numbers in place of D x D."
    ),
    use_when=("batches are small and vectors long", "negatives would be wrong: many rows mean the same"),
    avoid_when=(
        "vectors are compared by angle afterwards: ``info_nce_loss`` trains what is used",
        "features are few: there is little to decorrelate",
    ),
    pitfalls=(
        "It is one number of a batch, which must not be cut; at least two rows are needed.",
        "MONAI divides by N - 1 and adds its eps to the deviation.",
    ),
    see_also=(("vicreg_loss", "covariances of each view by itself"), ("info_nce_loss", "with negatives")),
    references=(
        Reference(
            "Zbontar, J., Jing, L., Misra, I., LeCun, Y. and Deny, S. (2021). Barlow twins: self-supervised learning "
            "via redundancy reduction. International Conference on Machine Learning, PMLR 139, 12310-12320.",
            url="https://arxiv.org/abs/2103.03230",
        ),
    ),
    equivalents=(Equivalent("lightly", "BarlowTwinsLoss", note="The same defaults."),),
    examples=""">>> x = np.array([[1.0, 2.0], [0.0, -1.0], [-1.0, 0.0]])
>>> round(losslib.barlow_twins_loss(x, x), 4)
0.0043
>>> round(losslib.barlow_twins_loss(x, -x), 4)
8.0042

Value and gradient come from one pass:

>>> value, (by_input1, by_input2) = losslib.barlow_twins_loss.value_and_grad(x, x)
>>> by_input1.round(4)
array([[ 0.0014,  0.0006],
       [-0.0029,  0.0012],
       [ 0.0014, -0.0018]])
""",
    tags=("vectors", "self-supervised", "smooth", "batch"),
)

vicreg_loss, VICRegLoss = views(
    "vicreg_loss",
    "VICRegLoss",
    per="batch",
    aliases=("vicreg",),
    summary="Invariance of two views, with a floor for the variance of each feature and none for their covariances.",
    parameters=(
        Real("invariance_weight", 25.0, "Weight of the squared difference of the views.", least=0.0, examples=(0.0,)),
        Real("variance_weight", 25.0, "Weight of what deviations lack to 1.", least=0.0, examples=(0.0,)),
        Real("covariance_weight", 1.0, "Weight of the squared covariances of features.", least=0.0, examples=(0.0,)),
        Real("eps", 1e-4, "What is added to the variance of a feature.", above=0.0, examples=(0.1,)),
    ),
    kernel="vicreg",
    formula="iw*mean((x - y)**2) + vw*mean(max(0, 1 - std))/2 + cw*sum_(k != l)(Cov_kl**2)/D",
    latex={
        "value": r"\lambda\,\operatorname{mean}(x - y)^2 + \sum_{z \in \{x, y\}}\Bigl[\frac{\mu}{2}"
        r"\operatorname{mean}_k\bigl(1 - \sqrt{\operatorname{var} z_k + \varepsilon}\bigr)_+ + \frac{\nu}{D}\sum_{k "
        r"\neq l}\operatorname{Cov}(z)_{kl}^2\Bigr]"
    },
    reductions=("mean", "sum"),
    description=(
        "Three terms against collapse without negatives: views agree, every feature keeps a deviation of at least one, "
        "and features do not repeat each other. The two views are regularised apart, so they may come from different "
        "encoders."
    ),
    notes=(
        "Variances and covariances are unbiased. Where there are fewer rows than features, squared covariances come "
        "from the products of the rows."
    ),
    use_when=("views come from different encoders or dimensions of meaning", "batches are small and vectors long"),
    avoid_when=(
        "vectors are compared by angle: it shapes features, not angles",
        "three weights cannot be tuned: ``barlow_twins_loss`` has one",
    ),
    pitfalls=("It is one number of a batch, which must not be cut; at least two rows are needed.",),
    see_also=(("barlow_twins_loss", "correlations between the views"), ("uniformity_loss", "spreads vectors")),
    references=(
        Reference(
            "Bardes, A., Ponce, J. and LeCun, Y. (2022). VICReg: variance-invariance-covariance regularization for "
            "self-supervised learning. International Conference on Learning Representations.",
            url="https://arxiv.org/abs/2105.04906",
        ),
    ),
    equivalents=(
        Equivalent("lightly", "VICRegLoss", note="The same weights."),
        Equivalent("pytorch_metric_learning", "VICRegLoss", note="The second view as ``ref_emb``."),
    ),
    examples=""">>> x = np.array([[1.0, 2.0], [0.0, -1.0], [-1.0, 0.0]])
>>> round(losslib.vicreg_loss(x, x + 0.5), 4)
8.25

Value and gradient come from one pass:

>>> value, (by_input1, by_input2) = losslib.vicreg_loss.value_and_grad(x, x + 0.5)
>>> by_input1.round(4)
array([[-2.5   , -3.1667],
       [-5.5   , -4.1667],
       [-4.5   , -5.1667]])
""",
    tags=("vectors", "self-supervised", "batch"),
)
