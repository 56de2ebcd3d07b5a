"""Binary classification with labels -1 and 1, and losses of margins and pairs: one number per element."""

from __future__ import annotations

from losslib.declaration.schema import PROBABILITY, SIGN, Equivalent, Input, Real, Reference
from losslib.declare import pointwise

__all__ = [
    "BinarySparsemaxLoss",
    "ExponentialLoss",
    "HingeEmbeddingLoss",
    "HingeLoss",
    "MarginRankingLoss",
    "ModifiedHuberLoss",
    "PerceptronLoss",
    "SoftMarginLoss",
    "SquaredHingeLoss",
    "binary_sparsemax_loss",
    "exponential_loss",
    "hinge_embedding_loss",
    "hinge_loss",
    "margin_ranking_loss",
    "modified_huber_loss",
    "perceptron_loss",
    "soft_margin_loss",
    "squared_hinge_loss",
]

# Inputs and parameters that several losses share.

SCORE = Input("input", "Predicted scores: any real numbers; the sign is the predicted class.")
SIGN_LABEL = Input("target", "Labels -1 or 1.", SIGN)
ZERO_ONE_LABEL = Input(
    "target",
    "Labels 0 or 1, or probabilities in between.",
    PROBABILITY,
    fix="map -1/1 labels with (target + 1) / 2",
)
MARGIN_TEXT = "How far a score must lie on the right side before it costs nothing."
HINGE_MARGIN = Real("margin", 1.0, MARGIN_TEXT, least=0.0, examples=(0.0, 0.5, 2.0))

CORTES_VAPNIK = Reference(
    "Cortes, C. and Vapnik, V. (1995). Support-vector networks. Machine Learning, 20, 273-297.",
    doi="10.1007/BF00994018",
)
FRIEDMAN = Reference(
    "Friedman, J., Hastie, T. and Tibshirani, R. (2000). Additive logistic regression: a statistical view "
    "of boosting. The Annals of Statistics, 28(2), 337-407.",
    doi="10.1214/aos/1016218223",
)
ZHANG = Reference(
    "Zhang, T. (2004). Solving large scale linear prediction problems using stochastic gradient descent "
    "algorithms. International Conference on Machine Learning.",
    doi="10.1145/1015330.1015332",
)


soft_margin_loss, SoftMarginLoss = pointwise(
    "soft_margin_loss",
    "SoftMarginLoss",
    family="binary",
    aliases=("logistic_loss", "logistic"),
    summary="Logistic loss of scores for labels -1 and 1.",
    inputs=(SCORE, SIGN_LABEL),
    kernel="SoftMargin",
    formula="softplus(-t*x)",
    keywords={"logistic regression": 2},
    symbols={"x": "input", "t": "target"},
    description=(
        "Logistic regression in the notation of margins: the loss depends on ``t*x`` alone, falls smoothly "
        "as the score moves to the right side and never quite reaches 0. The input estimates the log odds of "
        "label 1, so ``sigmoid(input)`` is a calibrated probability.\n\n"
        "It is ``binary_cross_entropy_with_logits`` with labels written as -1 and 1 in place of 0 and 1."
    ),
    notes=(
        "Stable for scores of any size: for ``t*x`` -> -inf the value grows like ``-t*x``. PyTorch's formula "
        "overflows to inf there from 88 on in float32. The Hessian is ``t**2*sigmoid(x*t)*sigmoid(-x*t)``, "
        "never negative. ``check=False`` accepts other targets and computes the formula for them, as PyTorch "
        "does."
    ),
    use_when=(
        "labels are -1 and 1 and probabilities are wanted: the hinge losses give none",
        "a smooth convex loss with a positive Hessian is needed, for Newton steps or boosting",
    ),
    avoid_when=(
        "labels are soft or need smoothing: ``binary_cross_entropy_with_logits`` has both",
        "labels contain gross errors: the pull of a wrong label does not fade",
        "only the support vectors should matter: ``hinge_loss`` is exactly 0 for the rest",
    ),
    pitfalls=(
        "Labels 0 and 1 are an error here; in PyTorch a label 0 silently gives the constant ``log(2)`` "
        "without gradient.",
        "``multilabel_soft_margin_loss`` takes labels 0 and 1, despite its name.",
    ),
    see_also=(
        ("binary_cross_entropy_with_logits", "the same function for labels 0 and 1"),
        ("hinge_loss", "exactly 0 beyond the margin; no probabilities"),
        ("exponential_loss", "grows exponentially with wrong scores"),
    ),
    references=(FRIEDMAN,),
    equivalents=(
        Equivalent(
            "torch",
            "soft_margin_loss",
            "torch.nn.functional.soft_margin_loss(x, t)",
            {},
            "Overflows to inf for ``t*x`` below -88 in float32.",
        ),
        Equivalent(
            "torch",
            "SoftMarginLoss",
            "torch.nn.SoftMarginLoss(reduction='none')(x, t)",
            {"reduction": "none"},
        ),
        Equivalent("paddle", "soft_margin_loss", "paddle.nn.functional.soft_margin_loss(x, t)"),
        Equivalent(
            "optax",
            "sigmoid_binary_cross_entropy",
            "optax.losses.sigmoid_binary_cross_entropy(x, (t + 1) / 2)",
            {"reduction": "none"},
            "Labels 0 and 1.",
        ),
    ),
    examples=""">>> round(losslib.soft_margin_loss([0.0, 0.0], [1, -1]), 4)
0.6931
>>> value, gradient = losslib.soft_margin_loss.value_and_grad([0.0, 2.0], [1, -1])
>>> round(value, 4)
1.41
>>> gradient.round(4)
array([-0.25  ,  0.4404])
""",
    tags=("signs", "logits", "convex", "smooth", "proper"),
    function_order=("size_average", "reduce", "reduction"),
    class_order=("size_average", "reduce", "reduction"),
    entries=("L041",),
)


hinge_loss, HingeLoss = pointwise(
    "hinge_loss",
    "HingeLoss",
    family="binary",
    summary="Hinge loss of support vector machines: linear up to a margin, 0 beyond it.",
    inputs=(SCORE, SIGN_LABEL),
    parameters=(HINGE_MARGIN,),
    kernel="Hinge",
    formula="max(0, margin - t*x)",
    keywords={"support vector machine": 1},
    symbols={"x": "input", "t": "target"},
    description=(
        "A score is asked to be on the right side of 0 by at least margin; what is missing is the loss. "
        "Elements beyond the margin cost nothing and have no gradient, so the solution depends on the "
        "difficult elements only.\n\n"
        "At the optimum the sign of the input is the more probable class. The input says nothing more: how "
        "probable it is cannot be read off."
    ),
    notes=(
        "At the kink ``t*x`` = margin the derivative is 0 here; scikit-learn counts the point as still "
        "active. The Hessian is 0 everywhere."
    ),
    use_when=(
        "only the decision matters and you want few elements to define it (support vectors)",
        "a convex bound of the error rate is wanted that grows no faster than linearly",
    ),
    avoid_when=(
        "probabilities are needed: use ``soft_margin_loss``",
        "a second-order method is used: the Hessian is 0; ``squared_hinge_loss`` has one",
    ),
    pitfalls=(
        "Labels are -1 and 1. Keras also takes 0 and 1 and maps them, but only if all labels in the batch "
        "are 0 or 1; TensorFlow 1 and XGBoost always want 0 and 1.",
        "Without a penalty on the weights the margin has no meaning: the model only has to scale its scores up.",
    ),
    see_also=(
        ("squared_hinge_loss", "smooth at the margin, stricter with large errors"),
        ("perceptron_loss", "margin 0"),
        ("soft_margin_loss", "smooth, gives probabilities"),
        ("modified_huber_loss", "smooth at the margin, linear for large errors, gives probabilities"),
    ),
    references=(CORTES_VAPNIK,),
    equivalents=(
        Equivalent("optax", "hinge_loss", "optax.losses.hinge_loss(x, t)", {"reduction": "none"}),
        Equivalent("keras", "Hinge", "keras.losses.Hinge()(t, x)", {}, "Target first; also maps labels 0/1."),
        Equivalent(
            "sklearn",
            "hinge_loss",
            "sklearn.metrics.hinge_loss(t, x)",
            {},
            "Target first, one axis; SGDClassifier trains with it.",
        ),
        Equivalent("tensorflow", "compat.v1.losses.hinge_loss", note="Labels 0 and 1, mapped to -1 and 1."),
        Equivalent("torchmetrics", "binary_hinge_loss", note="A metric on labels 0 and 1; may apply a sigmoid first."),
        Equivalent("xgboost", "binary:hinge", note="Labels 0 and 1; a Hessian of 1 stands in for 0."),
    ),
    examples=""">>> losslib.hinge_loss([0.5, 2.0, 0.5], [1, 1, -1], reduction="none")
array([0.5, 0. , 1.5])
>>> value, gradient = losslib.hinge_loss.value_and_grad([0.5, 0.5], [1, -1])
>>> value
1.0
>>> gradient
array([-0.5,  0.5])
""",
    tags=("signs", "margin", "convex"),
    entries=("L072",),
)


squared_hinge_loss, SquaredHingeLoss = pointwise(
    "squared_hinge_loss",
    "SquaredHingeLoss",
    family="binary",
    summary="Square of the hinge loss: smooth at the margin and stricter with large errors.",
    inputs=(SCORE, SIGN_LABEL),
    parameters=(HINGE_MARGIN,),
    kernel="SquaredHinge",
    formula="max(0, margin - t*x)**2",
    keywords={"support vector machine": 2},
    symbols={"x": "input", "t": "target"},
    description=(
        "Like ``hinge_loss`` it is 0 beyond the margin, but it enters the margin with slope 0 and punishes "
        "what is missing quadratically. That makes gradients continuous and lets Newton-type solvers work; "
        "it is the default of scikit-learn's LinearSVC.\n\n"
        "At the optimum with margin 1 the input, clipped to [-1, 1], estimates ``2*P(1) - 1``."
    ),
    notes=(
        "The gradient is continuous, the Hessian is 2 inside the margin and 0 beyond it (0 at the margin "
        "itself). The square overflows to inf for ``t*x`` below -1.8e19 in float32."
    ),
    use_when=(
        "a support vector machine is trained with second-order or line-search methods: the gradient has no jumps",
        "large violations should be punished more than many small ones",
    ),
    avoid_when=(
        "labels contain errors or scores outliers: their pull grows without bound; ``modified_huber_loss`` "
        "is linear there",
        "well-calibrated probabilities are needed: ``soft_margin_loss``",
    ),
    pitfalls=(
        "There is no factor 1/2: the gradient is ``-2*t*(margin - t*x)``.",
        "Labels are -1 and 1; Keras also maps labels 0/1 if all of them are.",
    ),
    see_also=(
        ("hinge_loss", "linear in the violation"),
        ("modified_huber_loss", "the same near the margin, linear for scores below -1"),
    ),
    references=(CORTES_VAPNIK, ZHANG),
    equivalents=(
        Equivalent(
            "keras",
            "SquaredHinge",
            "keras.losses.SquaredHinge()(t, x)",
            {},
            "Target first; also maps labels 0/1.",
        ),
        Equivalent("sklearn", "SGDClassifier", note="``loss='squared_hinge'`` trains with it; no public function."),
        Equivalent(
            "torchmetrics",
            "binary_hinge_loss",
            note="``squared=True``; a metric on labels 0 and 1 that may apply a sigmoid first.",
        ),
    ),
    examples=""">>> losslib.squared_hinge_loss([0.5, 2.0, 0.5], [1, 1, -1], reduction="none")
array([0.25, 0.  , 2.25])
>>> value, gradient = losslib.squared_hinge_loss.value_and_grad([0.5, 0.5], [1, -1])
>>> value
1.25
>>> gradient
array([-0.5,  1.5])
""",
    tags=("signs", "margin", "convex", "smooth", "proper"),
    entries=("L073",),
)


exponential_loss, ExponentialLoss = pointwise(
    "exponential_loss",
    "ExponentialLoss",
    family="binary",
    aliases=("adaboost_loss",),
    summary="Loss of AdaBoost: grows exponentially with the score on the wrong side.",
    inputs=(SCORE, ZERO_ONE_LABEL),
    kernel="Exponential",
    formula="t*exp(-x) + (1 - t)*exp(x)",
    keywords={"adaboost": 1},
    symbols={"x": "input", "t": "target"},
    description=(
        "AdaBoost is stage-wise minimisation of this loss. Its weights, exp of the score on the wrong side, "
        "put the attention on elements that are still wrong.\n\n"
        "At the optimum the input is half the log odds, so ``sigmoid(2*input)`` estimates the probability of "
        "label 1."
    ),
    notes=(
        "A term whose coefficient is exactly 0 is left out. The value overflows to inf for scores more than "
        "88.7 on the wrong side in float32, 709.8 in float64. For hard labels the Hessian equals the value, "
        "and the gradient is plus or minus the value."
    ),
    use_when=(
        "you reproduce AdaBoost or compare with it",
        "labels are clean and separation is the aim: errors are driven out with force",
    ),
    avoid_when=(
        "labels contain mistakes: a single confident mistake can outweigh the rest of the data",
        "scores are unbounded outputs of a network: gradients explode; ``soft_margin_loss`` has the same "
        "optimum for decisions and a bounded gradient",
    ),
    pitfalls=(
        "Labels are 0 and 1, as in scikit-learn, although papers write ``exp(-y*f)`` with -1 and 1.",
        "The link is ``sigmoid(2*input)``, not ``sigmoid(input)``.",
    ),
    see_also=(
        ("soft_margin_loss", "grows linearly; the robust choice"),
        ("squared_hinge_loss", "grows quadratically and is 0 beyond the margin"),
    ),
    references=(
        Reference(
            "Freund, Y. and Schapire, R. E. (1997). A decision-theoretic generalization of on-line learning "
            "and an application to boosting. Journal of Computer and System Sciences, 55(1), 119-139.",
            doi="10.1006/jcss.1997.1504",
        ),
        FRIEDMAN,
    ),
    equivalents=(
        Equivalent(
            "sklearn",
            "ExponentialLoss",
            note=("The private loss behind GradientBoostingClassifier(``loss='exponential'``); one value per element."),
        ),
    ),
    examples=""">>> losslib.exponential_loss([0.0, 0.0], [1, 0])
1.0
>>> value, gradient = losslib.exponential_loss.value_and_grad([0.0, 1.0], [1, 0])
>>> round(value, 4)
1.8591
>>> gradient.round(4)
array([-0.5   ,  1.3591])
""",
    tags=("binary", "soft labels", "convex", "smooth", "proper"),
    entries=("L042",),
)


modified_huber_loss, ModifiedHuberLoss = pointwise(
    "modified_huber_loss",
    "ModifiedHuberLoss",
    family="binary",
    summary="Squared hinge that turns linear for scores far on the wrong side.",
    inputs=(SCORE, SIGN_LABEL),
    kernel="ModifiedHuber",
    formula="where(t*x >= 1, 0, where(t*x >= -1, (1 - t*x)**2, -4*t*x))",
    symbols={"x": "input", "t": "target"},
    description=(
        "Three pieces in the margin ``t*x``: 0 from 1 on, a parabola between -1 and 1, a line with slope -4 "
        "below. It keeps the squared hinge's smoothness and its exact zeros, and takes away the unbounded "
        "pull of outliers.\n\n"
        "The input estimates ``2*P(1) - 1``, so ``(clip(input, -1, 1) + 1)/2`` is a probability, which may "
        "be exactly 0 or 1."
    ),
    notes=(
        "Value and gradient are continuous. The Hessian is 2 between -1 and 1 and 0 outside. Nothing "
        "overflows before ``-4*t*x`` itself does."
    ),
    use_when=(
        "you want a margin loss and probabilities from one model",
        "some labels are wrong: the gradient is bounded by 4",
    ),
    avoid_when=(
        "probabilities must never be 0 or 1: ``soft_margin_loss``",
        "the target is a real number: ``huber_loss`` is the regression loss, this one only shares its name",
    ),
    pitfalls=(
        "It is a classification loss; the name misleads.",
        "scikit-learn offers it in SGDClassifier only, with labels mapped to -1 and 1 inside.",
    ),
    see_also=(
        ("squared_hinge_loss", "has no linear part"),
        ("binary_sparsemax_loss", "a quarter of it, for labels 0 and 1"),
        ("huber_loss", "the regression loss"),
    ),
    references=(ZHANG,),
    equivalents=(
        Equivalent(
            "sklearn",
            "SGDClassifier",
            note="``loss='modified_huber'`` trains with it; there is no public function.",
        ),
        Equivalent(
            "optax",
            "sparsemax_loss",
            "4 * optax.losses.sparsemax_loss(x, (t + 1) / 2)",
            {"reduction": "none"},
            "A quarter of it, on labels 0 and 1.",
        ),
    ),
    examples=""">>> losslib.modified_huber_loss([2.0, 0.5, -3.0], [1, 1, 1], reduction="none")
array([ 0.  ,  0.25, 12.  ])
>>> value, gradient = losslib.modified_huber_loss.value_and_grad([0.5, -3.0], [1, 1])
>>> value
6.125
>>> gradient
array([-0.5, -2. ])
""",
    tags=("signs", "margin", "robust", "convex", "smooth", "proper"),
    entries=("L043",),
)


perceptron_loss, PerceptronLoss = pointwise(
    "perceptron_loss",
    "PerceptronLoss",
    family="binary",
    summary="Loss of the perceptron: the size of the score where its sign is wrong, else 0.",
    inputs=(SCORE, SIGN_LABEL),
    kernel=lambda values: ("Hinge", (0.0,)),
    formula="max(0, -t*x)",
    symbols={"x": "input", "t": "target"},
    description=(
        "The hinge loss with margin 0: any score on the right side is good enough. Gradient steps of size 1 "
        "on single elements are Rosenblatt's learning rule, which stops as soon as everything is on the "
        "right side.\n\n"
        "The sign of the input is the decision; its size means nothing."
    ),
    notes="At a score of exactly 0 the derivative is 0. The Hessian is 0 everywhere.",
    use_when=(
        "you reproduce or teach the perceptron",
        "online learning with mistakes as the only signal",
    ),
    avoid_when=(
        "you start from scores of 0: value and gradient are 0 there, so nothing is ever learned",
        "decisions should hold for new data: a margin helps; use ``hinge_loss``",
    ),
    pitfalls=(
        "A model that puts out 0 everywhere has a loss of 0: start from random weights.",
        "scikit-learn's Perceptron counts a score of 0 as an error and does learn from it.",
    ),
    see_also=(
        ("hinge_loss", "asks for a margin"),
        ("margin_ranking_loss", "the same idea for the difference of two scores"),
    ),
    references=(
        Reference(
            "Rosenblatt, F. (1958). The perceptron: a probabilistic model for information storage and "
            "organization in the brain. Psychological Review, 65(6), 386-408.",
            doi="10.1037/h0042519",
        ),
    ),
    equivalents=(
        Equivalent("optax", "perceptron_loss", "optax.losses.perceptron_loss(x, t)", {"reduction": "none"}),
        Equivalent("sklearn", "Perceptron", note="SGDClassifier(``loss='perceptron'``); there is no public function."),
    ),
    examples=""">>> losslib.perceptron_loss([2.0, -0.5, 1.0], [1, 1, -1], reduction="none")
array([0. , 0.5, 1. ])
>>> value, gradient = losslib.perceptron_loss.value_and_grad([-0.5, 1.0], [1, -1])
>>> value
0.75
>>> gradient
array([-0.5,  0.5])
""",
    tags=("signs", "convex"),
    entries=("L074",),
)


binary_sparsemax_loss, BinarySparsemaxLoss = pointwise(
    "binary_sparsemax_loss",
    "BinarySparsemaxLoss",
    family="binary",
    summary="Sparsemax loss for two classes: like the logistic loss, but exactly 0 from a score of 1 on.",
    inputs=(SCORE, ZERO_ONE_LABEL),
    kernel="BinarySparsemax",
    formula=(
        "t*where(x >= 1, 0, where(x <= -1, -x, (1 - x)**2/4))"
        " + (1 - t)*where(x <= -1, 0, where(x >= 1, x, (1 + x)**2/4))"
    ),
    keywords={"sparse probabilities": 2},
    symbols={"x": "input", "t": "target"},
    description=(
        "The logistic loss belongs to the sigmoid; this one belongs to the straight line from (-1, 0) to (1, "
        "1), the sparsemax of two classes. It is quadratic between -1 and 1, linear on the wrong side and "
        "exactly 0 on the right side, so finished elements drop out of training.\n\n"
        "``clip((input + 1)/2, 0, 1)`` estimates the probability of label 1, and may be exactly 0 or 1."
    ),
    notes=(
        "Value and gradient are continuous; the gradient is ``clip((x + 1)/2, 0, 1) - t``. The Hessian is "
        "1/2 between -1 and 1 and 0 outside. A soft target mixes the losses of both labels."
    ),
    use_when=(
        "you want probabilities and exact zeros: no gradient from elements that are settled",
        "attention or gating models use sparsemax and the loss should match",
    ),
    avoid_when=(
        "probabilities must never be 0 or 1, for log scores for instance: ``binary_cross_entropy_with_logits``",
        "there are more than two classes: this is the binary case",
    ),
    pitfalls=(
        "``sigmoid(input)`` is not the probability here; ``(input + 1)/2``, clipped, is.",
        "Labels are 0 and 1, unlike those of the other margin losses.",
    ),
    see_also=(
        ("modified_huber_loss", "four times as large, for labels -1 and 1"),
        ("binary_cross_entropy_with_logits", "the smooth relative: never exactly 0"),
    ),
    references=(
        Reference(
            "Martins, A. F. T. and Astudillo, R. F. (2016). From softmax to sparsemax: a sparse model of "
            "attention and multi-label classification. International Conference on Machine Learning.",
            url="https://arxiv.org/abs/1602.02068",
        ),
        Reference(
            "Blondel, M., Martins, A. F. T. and Niculae, V. (2020). Learning with Fenchel-Young losses. "
            "Journal of Machine Learning Research, 21(35), 1-69.",
            url="https://jmlr.org/papers/v21/19-021.html",
        ),
    ),
    equivalents=(
        Equivalent(
            "optax",
            "sparsemax_loss",
            "optax.losses.sparsemax_loss(x, t)",
            {"reduction": "none"},
            "For hard labels: any label other than 0 counts as 1.",
        ),
    ),
    examples=""">>> losslib.binary_sparsemax_loss([0.0, 2.0, 2.0], [1, 1, 0], reduction="none")
array([0.25, 0.  , 2.  ])
>>> value, gradient = losslib.binary_sparsemax_loss.value_and_grad([0.0, 2.0], [1, 0])
>>> value
1.125
>>> gradient
array([-0.25,  0.5 ])
""",
    tags=("binary", "soft labels", "convex", "smooth", "proper", "sparse"),
    entries=("L064",),
)


hinge_embedding_loss, HingeEmbeddingLoss = pointwise(
    "hinge_embedding_loss",
    "HingeEmbeddingLoss",
    family="binary",
    summary="Loss of distances: similar pairs should be near, dissimilar pairs farther apart than a margin.",
    inputs=(
        Input("input", "Distances of pairs, such as the L1 distance of two embeddings."),
        Input("target", "1 for a similar pair, -1 for a dissimilar one.", SIGN),
    ),
    parameters=(Real("margin", 1.0, MARGIN_TEXT, examples=(0.5, 2.0)),),
    kernel="HingeEmbedding",
    formula="where(t == 1, x, where(t == -1, max(0, margin - x), x + max(0, margin - x)))",
    symbols={"x": "input", "t": "target"},
    description=(
        "The input is a distance that you have computed. For similar pairs the distance itself is the loss; "
        "for dissimilar pairs it is what the distance lacks to reach the margin. Used to learn embeddings "
        "from pairs, and in semi-supervised learning.\n\n"
        "The gradient with respect to the embeddings is this gradient times that of the distance."
    ),
    notes=(
        "At the kink, input = margin with target -1, the gradient is -1 as in PyTorch. The Hessian is 0. "
        "With ``check=False`` any target other than 1 and -1 adds both branches, as in PyTorch."
    ),
    use_when=(
        "you have pairs marked similar or not and a distance of your own choice",
        "dissimilar pairs that are far enough apart should not be pushed any further",
    ),
    avoid_when=(
        "the input is a classification score: ``hinge_loss`` is the loss for that",
        "only relative judgements exist (this is nearer than that): ``margin_ranking_loss`` on two distances",
    ),
    pitfalls=(
        "The input must be a distance, not a similarity: with a cosine similarity the signs are wrong.",
        "Negative inputs have a negative loss for target 1; nothing stops them from falling further.",
        "A margin far above typical distances pushes all dissimilar pairs for ever; far below, none.",
    ),
    see_also=(
        ("margin_ranking_loss", "compares two scores"),
        ("hinge_loss", "for scores of a classifier"),
    ),
    references=(
        Reference(
            "Hadsell, R., Chopra, S. and LeCun, Y. (2006). Dimensionality reduction by learning an "
            "invariant mapping. IEEE Conference on Computer Vision and Pattern Recognition, 1735-1742.",
            doi="10.1109/CVPR.2006.100",
        ),
    ),
    equivalents=(
        Equivalent("torch", "hinge_embedding_loss", "torch.nn.functional.hinge_embedding_loss(x, t)"),
        Equivalent(
            "torch",
            "HingeEmbeddingLoss",
            "torch.nn.HingeEmbeddingLoss(margin=2.0, reduction='none')(x, t)",
            {"margin": 2.0, "reduction": "none"},
        ),
        Equivalent("paddle", "hinge_embedding_loss", "paddle.nn.functional.hinge_embedding_loss(x, t)"),
    ),
    examples=""">>> losslib.hinge_embedding_loss([0.5, 0.25, 3.0], [1, -1, -1], reduction="none")
array([0.5 , 0.75, 0.  ])
>>> value, gradient = losslib.hinge_embedding_loss.value_and_grad([0.5, 0.25], [1, -1])
>>> value
0.625
>>> gradient
array([ 0.5, -0.5])
""",
    tags=("signs", "margin", "distance", "convex"),
    function_order=("margin", "size_average", "reduce", "reduction"),
    class_order=("margin", "size_average", "reduce", "reduction"),
    entries=("L082",),
    value_range="(-inf, inf)",
)


margin_ranking_loss, MarginRankingLoss = pointwise(
    "margin_ranking_loss",
    "MarginRankingLoss",
    family="binary",
    summary="Hinge loss of the difference of two scores: says which of the two should be ranked higher.",
    inputs=(
        Input("input1", "Scores of the first item of each pair."),
        Input("input2", "Scores of the second item of each pair."),
        Input("target", "1 if the first item should be ranked higher, -1 if the second.", SIGN),
    ),
    parameters=(Real("margin", 0.0, MARGIN_TEXT, examples=(0.5, 1.0)),),
    kernel="MarginRanking",
    formula="max(0, margin - t*(x1 - x2))",
    keywords={"two scores": 1},
    symbols={"x1": "input1", "x2": "input2", "t": "target"},
    differentiable=("input1", "input2", "target"),
    default_wrt=("input1", "input2"),
    description=(
        "Learns an order from pairs: a pair costs nothing when its scores are in the right order and differ "
        "by at least margin, else what is missing. Only differences of scores count, so the scores have no "
        "zero and, with margin 0, no scale.\n\n"
        "Minimising it keeps the number of pairs in wrong order down; with scores of queries and documents "
        "it is the ranking SVM."
    ),
    notes=(
        "At the kink, where ``t*(input1 - input2)`` equals margin, the gradient is that of the linear part, "
        "as in PyTorch: with margin 0 two equal scores have a loss of 0 but are still pushed apart. The two "
        "gradients are opposite. The Hessian is 0."
    ),
    use_when=(
        "preferences are known as pairs and absolute scores are not",
        "distances of an anchor to two items are compared: this is the triplet loss on distances you computed",
    ),
    avoid_when=(
        "whole lists are to be ranked and the top counts most: pairs treat all positions alike",
        "probabilities of preference are wanted: ``soft_margin_loss`` of the difference gives them",
    ),
    pitfalls=(
        "The default margin is 0: a model that gives all items the same score then has a loss of 0. Use a "
        "positive margin.",
        "With distances, target 1 means that the first distance should be larger.",
        "Inputs must have one shape; pairs of all combinations have to be built first.",
    ),
    see_also=(
        ("hinge_loss", "``margin_ranking_loss`` of a score against 0, with margin 1"),
        ("soft_margin_loss", "of the difference ``input1 - input2`` it is the smooth form"),
        ("hinge_embedding_loss", "compares one distance with a fixed margin"),
    ),
    references=(
        Reference(
            "Joachims, T. (2002). Optimizing search engines using clickthrough data. ACM SIGKDD "
            "International Conference on Knowledge Discovery and Data Mining, 133-142.",
            doi="10.1145/775047.775067",
        ),
    ),
    equivalents=(
        Equivalent("torch", "margin_ranking_loss", "torch.nn.functional.margin_ranking_loss(x1, x2, t)"),
        Equivalent(
            "torch",
            "MarginRankingLoss",
            "torch.nn.MarginRankingLoss(margin=0.5, reduction='none')(x1, x2, t)",
            {"margin": 0.5, "reduction": "none"},
        ),
        Equivalent("paddle", "margin_ranking_loss", "paddle.nn.functional.margin_ranking_loss(x1, x2, t)"),
    ),
    examples=""">>> first, second, order = [3.0, 1.0], [1.0, 2.0], [1, 1]
>>> losslib.margin_ranking_loss(first, second, order, reduction="none")
array([0., 1.])
>>> value, (by_first, by_second) = losslib.margin_ranking_loss.value_and_grad(
...     first, second, [-1, 1], margin=0.5)
>>> value
2.0
>>> by_first
array([ 0.5, -0.5])
>>> by_second
array([-0.5,  0.5])
""",
    tags=("signs", "margin", "ranking", "convex"),
    function_order=("margin", "size_average", "reduce", "reduction"),
    class_order=("margin", "size_average", "reduce", "reduction"),
    entries=("L081",),
)
