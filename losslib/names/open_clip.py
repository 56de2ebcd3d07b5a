"""Names of ``open_clip.loss``: images and texts that are normalised already."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Ignored, Only, Package

__all__ = ["PACKAGE"]

ONE_PROCESS = {
    "cache_labels": Ignored(False),
    "rank": Only(0, "it gathers the vectors of other processes; gather them before the call"),
    "world_size": Only(1, "it gathers the vectors of other processes; gather them before the call"),
}
CALLED = "Called with the scale of the logits (for SigLIP the bias too); there is no reduction."

PACKAGE = Package(
    "open_clip",
    "OpenCLIP",
    (
        Binding(
            ("ClipLoss",),
            (Case("clip_loss", sets={"normalize": False}, reduction="mean", note=CALLED),),
            {
                "local_loss": Only(False, "it is the part of one process of several"),
                "gather_with_grad": Ignored(False),
                **ONE_PROCESS,
                "use_horovod": Only(False, "it gathers the vectors of other processes; gather them before the call"),
            },
        ),
        Binding(
            ("SigLipLoss",),
            (Case("siglip_loss", sets={"normalize": False}, reduction="mean", note=CALLED),),
            {**ONE_PROCESS, "dist_impl": Ignored(None)},
        ),
    ),
    prefixes=("loss.", "open_clip.loss.", "open_clip."),
    order="(image_features, text_features, logit_scale)",
    notes=("Features come normalised there, so that normalize=False gives the same gradients.",),
)
