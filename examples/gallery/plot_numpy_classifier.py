"""
A neural network in plain NumPy
===============================

Two layers, handwritten digits, stochastic gradient descent: everything that a framework would do here fits into
twenty lines, because the loss brings its gradient.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import losslib

images, labels = load_digits(return_X_y=True)
x, new_x, y, new_y = train_test_split((images / 16.0).astype(np.float32), labels, random_state=0)

# %%
# The backward pass starts with ``value_and_grad``, which writes the gradient over the logits (``out=logits``), and is
# two matrix products per layer from there.

random = np.random.default_rng(3)
hidden, classes, batch, rate = 64, 10, 50, 0.5
w1 = random.normal(0, 0.15, (64, hidden)).astype(np.float32)
w2 = random.normal(0, 0.15, (hidden, classes)).astype(np.float32)
loss = losslib.CrossEntropyLoss(label_smoothing=0.05)

history = []
for _ in range(30):
    total = 0.0
    order = random.permutation(len(x))
    for rows in order[: len(x) // batch * batch].reshape(-1, batch):
        h = np.maximum(x[rows] @ w1, 0)
        logits = h @ w2
        value, grad = loss.value_and_grad(logits, y[rows], out=logits)
        back = (grad @ w2.T) * (h > 0)
        w2 -= rate * h.T @ grad
        w1 -= rate * x[rows].T @ back
        total += value
    new_logits = np.maximum(new_x @ w1, 0) @ w2
    accuracy = np.mean(new_logits.argmax(axis=1) == new_y)
    history.append((total / (len(x) // batch), losslib.cross_entropy(new_logits, new_y), accuracy))

print(f"30 passes over {len(x)} images; right on {history[-1][2]:.1%} of {len(new_x)} new ones")

# %%
# Label smoothing keeps the training loss away from 0 on purpose: a confident mistake would cost too much.

figure, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
train_loss, new_loss, _ = zip(*history, strict=True)
axes.plot(train_loss, label="training, smoothed labels")
axes.plot(new_loss, label="new images, plain cross entropy")
axes.set(xlabel="pass over the data", ylabel="loss", yscale="log")
axes.legend()
plt.show()
