"""Cross-entropies over large vocabularies whose classes are not all looked at: in clusters, or as leaves of a tree."""

from __future__ import annotations

from losslib.declaration.schema import BINARY, Equivalent, Indices, Input, Integer, Real, Reference
from losslib.declare import declare
from losslib.losses.vocabulary import CHUNK_ROWS

__all__ = [
    "AdaptiveLogSoftmaxWithLoss",
    "HSigmoidLoss",
    "adaptive_log_softmax_with_loss",
    "hsigmoid_loss",
]

adaptive_log_softmax_with_loss, AdaptiveLogSoftmaxWithLoss = declare(
    "adaptive_softmax",
    "adaptive_log_softmax_with_loss",
    "AdaptiveLogSoftmaxWithLoss",
    family="vocabulary",
    aliases=("adaptive_softmax", "adaptive_log_softmax"),
    summary="Cross entropy over classes sorted by frequency: a head of frequent ones, and clusters of rare ones.",
    inputs=(
        Input("input", "Hidden states of shape (…, D).", holds="row"),
        Input(
            "target",
            "Classes, integers of the shape of the input without its last axis; 0 is the most frequent.",
            holds="class",
        ),
        Input(
            "head_weight",
            "One vector for each frequent class and, after them, one for each cluster, of shape (frequent + "
            "clusters, D).",
            holds="row",
            shared=True,
        ),
        Input(
            "tail_weights",
            "A pair of matrices for each cluster, ``[((h, D), (classes, h)), …]``: the projection of hidden states to "
            "h components, and one vector for each of its classes. Or the same numbers in one row.",
            holds="row",
            shared=True,
        ),
        Input("head_bias", "One number for each row of head_weight.", holds="row", optional=True, shared=True),
    ),
    parameters=(
        Indices(
            "cutoffs",
            None,
            "The first class of each cluster, rising, without the number of classes. None: what the shapes of the "
            "weights say; tail_weights in one row are one cluster then.",
            without="for what the weights say",
        ),
        Real(
            "div_value",
            4.0,
            "Where tail_weights are one row: cluster k = 0, 1, … projects to ``D // div_value**(k + 1)`` components. "
            "Pairs of matrices have shapes of their own.",
            least=1.0,
            examples=(2.0,),
        ),
        CHUNK_ROWS,
    ),
    kernel="cross_entropy",
    formula="-(log(p_head) + log(p_cluster))",
    latex={
        "value": r"-\log\operatorname{softmax}(W h + b)_t\quad\text{for } t < c_1",
        "rare": r"-\log\operatorname{softmax}(W h + b)_{c_1 + k} - \log\operatorname{softmax}(V_k P_k h)_{t - c_k}"
        r"\quad\text{for } c_k \le t < c_{k+1}",
    },
    symbols={"x": "input", "t": "target"},
    differentiable=("input", "head_weight", "tail_weights", "head_bias"),
    default_wrt=("input", "head_weight", "tail_weights"),
    has_hessian=False,
    description=(
        "Most tokens of a text are among its few frequent words. The head is a softmax over these and one token for "
        "each cluster of rare classes; only rows whose class is rare meet the softmax of their cluster, which looks at "
        "a projection of the hidden state with fewer components. It is a probability over all classes that costs a "
        "fraction of the full softmax."
    ),
    notes=(
        "The weights are those of PyTorch's module as they are: ``head.weight``, ``head.bias`` and, for each tail, "
        "``tail[i][0].weight`` and ``tail[i][1].weight``. The gradient by pairs of matrices comes as such pairs, views "
        "of one row, which ``out`` takes. In one row the weights are a vector as optimisers and adapters want it. The "
        "products are ``numpy.matmul``'s; logits exist by chunks of rows. Half types are computed in float32."
    ),
    use_when=(
        "there are very many classes whose frequencies fall as those of words do",
        "probabilities of all classes are wanted, not only of a sample",
    ),
    avoid_when=(
        "classes are about equally frequent: ``linear_cross_entropy``",
        "the numbers of the classes do not follow their frequency, and cannot be sorted",
    ),
    pitfalls=(
        "Class 0 must be the most frequent: sort classes by how often they occur.",
        "PyTorch's module returns ``(output, loss)``: output is minus the values of reduction='none'.",
        "cutoffs do not end with the number of classes, as those of PyTorch's constructor do not; Paddle's function "
        "takes it as the last, and transposed weights.",
    ),
    see_also=(
        ("linear_cross_entropy", "all classes alike"),
        ("hsigmoid_loss", "a tree of classes"),
        ("sampled_softmax_loss", "a few sampled classes"),
    ),
    references=(
        Reference(
            "Grave, E., Joulin, A., Cissé, M., Grangier, D. and Jégou, H. (2017). Efficient softmax approximation for "
            "GPUs. International Conference on Machine Learning, PMLR 70, 1302-1310.",
            url="https://proceedings.mlr.press/v70/grave17a.html",
        ),
    ),
    equivalents=(
        Equivalent("torch", "nn.AdaptiveLogSoftmaxWithLoss", note="A module that owns the weights."),
        Equivalent("paddle", "adaptive_log_softmax_with_loss", note="With transposed weights."),
    ),
    examples=""">>> hidden = np.array([[1.0, 0.0], [0.0, 2.0]])
>>> head = np.array([[1.0, 0.0], [0.0, 0.5], [0.0, 1.0]])
>>> tails = [(np.array([[0.5, 1.0]]), np.array([[1.0], [-1.0], [0.0]]))]
>>> losslib.adaptive_log_softmax_with_loss(hidden, [0, 3], head, tails, reduction="none").round(4)
array([0.5514, 4.5505])

Classes 0 and 1 are frequent, 2 to 4 the cluster of the rare. The gradient comes in the form of the weights:

>>> value, (by_hidden, by_head, by_tails) = losslib.adaptive_log_softmax_with_loss.value_and_grad(
...     hidden, [0, 3], head, tails
... )
>>> by_hidden.round(4)
array([[-0.2119,  0.159 ],
       [ 0.5077,  0.8193]])
>>> [[matrix.shape for matrix in pair] for pair in by_tails]
[[(1, 2), (3, 1)]]

The same in one row:

>>> row = np.concatenate([matrix.ravel() for pair in tails for matrix in pair])
>>> round(losslib.adaptive_log_softmax_with_loss(hidden, [0, 3], head, row, div_value=2.0), 4)
2.551
""",
    tags=("multi-class", "hidden states", "smooth", "proper"),
    value_range="[0, inf]",
)

hsigmoid_loss, HSigmoidLoss = declare(
    "tree_path",
    "hsigmoid_loss",
    "HSigmoidLoss",
    family="vocabulary",
    aliases=("hierarchical_softmax", "hsigmoid"),
    summary="Sum of logistic losses along the path from the root of a tree of classes to the class of a row.",
    inputs=(
        Input("input", "Hidden states of shape (N, D).", holds="row"),
        Input("target", "Classes, integers of shape (N,).", holds="class"),
        Input(
            "tree_weight",
            "One vector for each inner node, of shape (C - 1, D) for C classes.",
            holds="row",
            shared=True,
        ),
        Input(
            "tree_bias", "One number for each inner node, of shape (C - 1,).", holds="row", optional=True, shared=True
        ),
        Input(
            "path_table",
            "For a tree of your own: the inner nodes on the way to the class of each row, of shape (N, L); -1 "
            "ends a way.",
            holds="class_list",
            optional=True,
        ),
        Input(
            "path_code",
            "The answer at each of these nodes, 0 or 1, of the shape of path_table.",
            BINARY,
            "entries after the end of a path may be anything",
            holds="row",
            optional=True,
        ),
    ),
    parameters=(
        Integer(
            "num_classes",
            None,
            "How many leaves the complete tree has; the nodes beyond its own are not used. None: one more than nodes. "
            "With path_table it bounds the target, which says nothing else then.",
            least=2,
            optional=True,
        ),
    ),
    kernel="hsigmoid",
    formula="sum_j(softplus(z_j) - bit_j*z_j)",
    latex={
        "value": r"\sum_j \operatorname{softplus}(z_j) - b_j z_j,\quad z_j = w_{n_j}\cdot h + \beta_{n_j}",
        "with": r"n_j = \lfloor (t + C)/2^{j+1}\rfloor - 1,\quad b_j = \lfloor (t + C)/2^j\rfloor \bmod 2",
    },
    symbols={"x": "input", "t": "target"},
    differentiable=("input", "tree_weight", "tree_bias"),
    default_wrt=("input", "tree_weight"),
    has_hessian=False,
    description=(
        "A class is a leaf of a binary tree and its probability a product of yes and no along the path: about log2(C) "
        "products for a row in place of C. The tree is the complete one of the class numbers, as in Paddle, or any "
        "other: a Huffman code, a taxonomy, given as the way to the class of each row."
    ),
    notes=(
        "The code of a class is its number plus C; its bits but the first are the answers, its prefixes the nodes. "
        "Paths differ by one in length where C is no power of two. A tree of your own is a table of the paths of all "
        "classes: ``path_table=table[target], path_code=code[target]``."
    ),
    use_when=(
        "there are very many classes and training must cost their logarithm",
        "classes are numbered by a hierarchy, so that neighbours are alike",
    ),
    avoid_when=(
        "the full softmax fits: ``linear_cross_entropy`` is exact and on large batches as fast",
        "the numbers of the classes mean nothing and no tree is known: the tree decides what is easily confused",
    ),
    pitfalls=(
        "There are C - 1 vectors for C classes: without num_classes the number of classes is read from them.",
        "Paddle adds ln 2 for each unused place of a path, where C is no power of two or paths differ in length, and "
        "clips z at 40.",
    ),
    see_also=(("linear_cross_entropy", "all classes"), ("sampled_softmax_loss", "a few sampled classes")),
    references=(
        Reference(
            "Morin, F. and Bengio, Y. (2005). Hierarchical probabilistic neural network language model. International "
            "Workshop on Artificial Intelligence and Statistics, PMLR R5, 246-252.",
            url="https://proceedings.mlr.press/r5/morin05a.html",
        ),
    ),
    equivalents=(
        Equivalent("paddle", "hsigmoid_loss", note="For paths of one length, such as those of C a power of two."),
    ),
    examples=""">>> hidden = np.array([[1.0, 0.0], [0.0, 1.0]])
>>> nodes = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5]])
>>> losslib.hsigmoid_loss(hidden, [0, 3], nodes, reduction="none").round(4)
array([2.0064, 1.1672])
>>> value, (by_hidden, by_nodes) = losslib.hsigmoid_loss.value_and_grad(hidden, [0, 3], nodes)
>>> by_hidden.round(4)
array([[ 0.3655,  0.25  ],
       [-0.0612, -0.0944]])

A tree of your own, whose first class is one question away and whose others are two and three:

>>> table = np.array([[0, -1, -1], [0, 1, -1], [0, 1, 2], [0, 1, 2]])
>>> code = np.array([[0, -1, -1], [1, 0, -1], [1, 1, 0], [1, 1, 1]])
>>> target = np.array([0, 3])
>>> losslib.hsigmoid_loss(
...     hidden, target, nodes, path_table=table[target], path_code=code[target], reduction="none"
... ).round(4)
array([1.3133, 1.4805])
""",
    tags=("multi-class", "hidden states", "smooth", "proper"),
)
