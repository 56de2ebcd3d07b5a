"""
Labels without times: how CTC finds the alignment
=================================================

In speech and handwriting one knows what was said or written, not when. CTC sums over all ways in which the labels may
lie over the frames, so a model can learn from the sequence alone. Here a linear model learns to find four sounds in
noise; where they are is never told, and comes out all the same.
"""

import matplotlib.pyplot as plt
import numpy as np

import losslib

# %%
# Sequences of three to five labels out of four, each held for a few frames with silence between. A frame shows the
# pattern of its sound (silence has none) and noise. ``truth`` is kept for the picture alone.

random = np.random.default_rng(3)
SAMPLES, FRAMES, SOUNDS, FEATURES = 200, 60, 4, 12
patterns = 1.5 * random.standard_normal((SOUNDS + 1, FEATURES))
patterns[0] = 0.0

lengths = random.integers(3, 6, SAMPLES)
targets = random.integers(1, SOUNDS + 1, (SAMPLES, 5))
truth = np.zeros((FRAMES, SAMPLES), dtype=int)
for n in range(SAMPLES):
    frame = random.integers(1, 6)
    for label in targets[n, : lengths[n]]:
        held = random.integers(4, 8)
        truth[frame : frame + held, n] = label
        frame += held + random.integers(1, 5)
features = patterns[truth] + 0.6 * random.standard_normal((FRAMES, SAMPLES, FEATURES))

# %%
# Gradient descent on the weights of the linear model. The gradient with respect to the logits is exact, and takes
# their place.

weights, bias = np.zeros((FEATURES, SOUNDS + 1)), np.zeros(SOUNDS + 1)
frames = np.full(SAMPLES, FRAMES)
loss = losslib.CTCLossWithLogits()
values = []
for _ in range(600):
    logits = features @ weights + bias
    value, gradient = loss.value_and_grad(logits, targets, frames, lengths, out=logits)
    weights -= 1.0 * np.einsum("tnf,tnc->fc", features, gradient)
    bias -= 1.0 * gradient.sum(axis=(0, 1))
    values.append(value)

logits = features @ weights + bias
read, _ = losslib.ctc_greedy_decode(logits, frames)
right = sum(np.array_equal(read[n], targets[n, : lengths[n]]) for n in range(SAMPLES))
print(f"loss a label: {values[0]:.2f} at first, {values[-1]:.2f} at last; {right} of {SAMPLES} sequences read right")

# %%
# One sequence: the probability of each label at each frame, the best path of the right sequence, and below where the
# sounds really were. Equal neighbours, such as the three 4s here, are told apart by the blank between them.

n = int(np.flatnonzero(lengths == 5)[0])
x = logits[:, n] - logits[:, n].max(axis=1, keepdims=True)
log_probs = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
path, _ = losslib.ctc_forced_align(log_probs, targets[n, : lengths[n]])

figure, axes = plt.subplots(3, 1, figsize=(9, 5.4), layout="constrained", height_ratios=(2, 2, 1.4))
axes[0].plot(values)
axes[0].set(yscale="log", xlabel="step", ylabel="loss", title="what training saw: labels without times")
axes[1].imshow(np.exp(log_probs).T, aspect="auto", cmap="Blues", vmin=0, vmax=1)
axes[1].plot(path, color="tab:red", drawstyle="steps-mid")
axes[1].set(title="what it found: probabilities and the best path", yticks=range(SOUNDS + 1))
axes[1].set_yticklabels(["blank", *map(str, range(1, SOUNDS + 1))])
axes[2].step(np.arange(FRAMES), truth[:, n], where="mid", color="0.3")
axes[2].set(title="where the sounds were", xlabel="frame", yticks=range(SOUNDS + 1), xlim=axes[1].get_xlim())
plt.show()
