"""Names of MXNet's ``gluon.loss``, of the last releases before it was retired.

Losses of elements average all axes but the first and give one value a sample.
"""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Chooses, Ignored, Only, Package, Parameter, Takes

__all__ = ["PACKAGE"]

SAMPLES = "Targets are class indices, on two axes; with more MXNet averages all but the first."
COMMON: dict[str, Parameter] = {
    "weight": Only(None, "it multiplies the loss: write 2.0 * losslib.get(...)", also=(1, 1.0)),
    "batch_axis": Only(0, "move the axis of the samples to the front"),
}


def _elements(name: str, case: Case, **parameters: Parameter) -> Binding:
    return Binding((name,), (case,), {**parameters, **COMMON})


def _mean(loss: str, note: str = "", **constants: object) -> Case:
    return Case(loss, rows="mean", axes="samples", note=note, sets=constants)


PACKAGE = Package(
    "mxnet",
    "MXNet Gluon",
    (
        _elements("L2Loss", _mean("half_squared_error", "Half of the square.")),
        _elements("L1Loss", _mean("l1_loss")),
        _elements("HuberLoss", _mean("smooth_l1_loss", "Smooth L1 in spite of its name."), rho=Takes(1.0, "beta")),
        _elements("HingeLoss", _mean("hinge_loss", "Labels are -1 and 1."), margin=Takes(1.0)),
        _elements("SquaredHingeLoss", _mean("squared_hinge_loss", "Labels are -1 and 1."), margin=Takes(1.0)),
        Binding(
            ("LogisticLoss",),
            (
                Case("soft_margin_loss", when={"label_format": "signed"}, rows="mean", axes="samples"),
                Case("binary_cross_entropy_with_logits", when={"label_format": "binary"}, rows="mean", axes="samples"),
            ),
            {**COMMON, "label_format": Chooses("signed")},
        ),
        Binding(
            ("SigmoidBinaryCrossEntropyLoss", "SigmoidBCELoss"),
            (
                Case("binary_cross_entropy_with_logits", when={"from_sigmoid": False}, rows="mean", axes="samples"),
                Case(
                    when={"from_sigmoid": True},
                    refused="it adds 1e-12 inside the logarithms; write losslib.binary_cross_entropy, the same away "
                    "from 0 "
                    "and 1",
                ),
            ),
            {"from_sigmoid": Chooses(False), **COMMON},
        ),
        Binding(
            ("SoftmaxCrossEntropyLoss", "SoftmaxCELoss"),
            (
                Case("cross_entropy", when={"from_logits": False, "sparse_label": True}, note=SAMPLES),
                Case(
                    "cross_entropy",
                    when={"from_logits": False, "sparse_label": False},
                    note="Targets are rows of probabilities, on two axes.",
                ),
                Case("nll_loss", when={"from_logits": True, "sparse_label": True}, note=SAMPLES),
                Case(
                    when={"from_logits": True},
                    refused="it takes log-probabilities and rows of probabilities; the softmax leaves "
                    "log-probabilities as "
                    "they are: write losslib.cross_entropy",
                ),
            ),
            {"axis": Takes(-1), "sparse_label": Chooses(True), "from_logits": Chooses(False), **COMMON},
        ),
        Binding(
            ("KLDivLoss",),
            (
                Case(
                    "kl_div",
                    when={"from_logits": True},
                    rows="mean",
                    axes="samples",
                    note="The input is log-probabilities. MXNet adds 1e-12 inside the logarithm of the target.",
                ),
                Case(
                    when={"from_logits": False},
                    refused="it applies log_softmax first; write losslib.kl_div on log-probabilities",
                ),
            ),
            {"from_logits": Chooses(True), "axis": Ignored(-1), **COMMON},
        ),
        Binding(
            ("PoissonNLLLoss",),
            (Case("poisson_nll_loss", reduction="mean"),),
            {
                **COMMON,
                "from_logits": Takes(True, "log_input"),
                "compute_full": Takes(False, "full"),
            },
        ),
        Binding(
            ("TripletLoss",),
            (
                Case(
                    "triplet_margin_with_distance_loss",
                    sets={"distance": "sqeuclidean"},
                    note="Squared distances, of vectors.",
                ),
            ),
            {"margin": Takes(1.0), **COMMON},
        ),
        Binding(
            ("CosineEmbeddingLoss",),
            (
                Case(
                    refused="it bounds the product of the lengths from below by 1e-12; write "
                    'losslib.CosineEmbeddingLoss(reduction="none"), the same for vectors that are not 0'
                ),
            ),
            {**COMMON, "margin": Takes(0.0)},
        ),
        Binding(
            ("CTCLoss",),
            (
                Case(
                    refused="its blank is the last class, which losslib writes as blank=C - 1, and batches come "
                    "first; write "
                    'losslib.ctc_loss_with_logits(pred.transpose(1, 0, 2), ..., blank=C - 1, reduction="none")'
                ),
            ),
            {"layout": Takes("NTC"), "label_layout": Takes("NT"), "weight": COMMON["weight"]},
        ),
    ),
    prefixes=("gluon.loss.", "loss.", "mxnet.gluon.loss."),
    order="(pred, label)",
    notes=("Not executed here: MXNet is retired. Bindings were compared with its formulas, written in NumPy.",),
)
