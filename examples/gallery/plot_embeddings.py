"""
Embeddings: a classifier, ArcFace and SupCon
============================================

A classifier asks whether a digit lies on the right side of a border. Whether two pictures show the same digit, which is
what faces and signatures are compared for, asks for more: pictures of one digit close together, all others far away.
The same small network is trained with three losses, in plain NumPy.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import losslib

# %%
# The digits 0 to 6 are learned from; of 7, 8 and 9 no picture is shown in training.

images, digits = load_digits(return_X_y=True)
images, known = images / 16.0, digits < 7
x, new_x, y, new_y = train_test_split(images[known], digits[known], test_size=0.3, random_state=0)
unseen_x, unseen_y = images[~known], digits[~known]

# %%
# A network of one hidden layer turns a picture into a few numbers, its embedding; ``heads`` is what a loss does with
# them: it returns the gradient by the embedding, and by the matrix of one vector for each class. Cross-entropy takes
# their products as logits. ArcFace takes the cosines, and enlarges the angle to the right class by a margin. SupCon
# needs no matrix: each picture has to find the others of its digit among the batch.


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def before_unit(vectors, gradient):
    """Carry a gradient by unit vectors back to the vectors themselves."""
    directions = unit(vectors)
    radial = np.sum(directions * gradient, axis=1, keepdims=True)
    return (gradient - directions * radial) / np.linalg.norm(vectors, axis=1, keepdims=True)


def softmax_head(embedding, classes, target):
    slope = losslib.cross_entropy.grad(embedding @ classes.T, target)
    return slope @ classes, slope.T @ embedding


def arcface_head(embedding, classes, target):
    directions, centres = unit(embedding), unit(classes)
    slope = losslib.arcface_loss.grad(directions @ centres.T, target, margin=0.3, scale=16.0)
    return before_unit(embedding, slope @ centres), before_unit(classes, slope.T @ directions)


def supcon_head(embedding, classes, target):
    return losslib.supcon_loss.grad(embedding, target, temperature=0.1), np.zeros_like(classes)


heads = {"cross-entropy": softmax_head, "ArcFace": arcface_head, "SupCon": supcon_head}

# %%
# Adam, written out: a weight takes steps of about the same size, however long the gradients of the losses are.


def train(head, size=16, hidden=128, batch=128, rate=0.01):
    random = np.random.default_rng(0)
    weights = [
        random.normal(0.0, np.sqrt(2 / 64), (64, hidden)),
        np.zeros(hidden),
        random.normal(0.0, np.sqrt(1 / hidden), (hidden, size)),
        random.normal(0.0, np.sqrt(1 / size), (7, size)),
    ]
    first, second = ([np.zeros_like(w) for w in weights] for _ in range(2))
    step = 0
    for _ in range(40):
        order = random.permutation(len(x))
        for rows in order[: len(x) // batch * batch].reshape(-1, batch):
            h = np.maximum(x[rows] @ weights[0] + weights[1], 0.0)
            by_embedding, by_classes = head(h @ weights[2], weights[3], y[rows])
            back = (by_embedding @ weights[2].T) * (h > 0)
            step += 1
            for k, g in enumerate((x[rows].T @ back, back.sum(axis=0), h.T @ by_embedding, by_classes)):
                first[k] += 0.1 * (g - first[k])
                second[k] += 0.01 * (g * g - second[k])
                slope = first[k] / (1 - 0.9**step) / (np.sqrt(second[k] / (1 - 0.99**step)) + 1e-8)
                weights[k] -= rate * slope
    return lambda pictures: np.maximum(pictures @ weights[0] + weights[1], 0.0) @ weights[2]


# %%
# Two numbers with embeddings of 16 dimensions, on pictures that were not trained on. The first is the share of them
# whose five nearest neighbours among the training pictures vote for the right digit. The second compares them two by
# two, by their cosine: with a bound that takes 1 % of the pairs of different digits for equal, how many of the pairs of
# equal digits are recognised? The last column is the same for the digits that no training picture shows.


def voted(embed):
    nearest = np.argsort(-unit(embed(new_x)) @ unit(embed(x)).T, axis=1)[:, :5]
    votes = (y[nearest][:, :, np.newaxis] == np.arange(7)).sum(axis=1)
    return np.mean(votes.argmax(axis=1) == new_y)


def pairs_of(directions, labels):
    """Return the cosine of each pair, and whether its labels are equal."""
    one, other = np.triu_indices(len(labels), 1)
    return (directions @ directions.T)[one, other], labels[one] == labels[other]


def recognised(embed, pictures, labels):
    cosine, equal = pairs_of(unit(embed(pictures)), labels)
    return np.mean(cosine[equal] > np.quantile(cosine[~equal], 0.99))


embeddings = {"pixels": lambda pictures: pictures, **{name: train(head) for name, head in heads.items()}}
print(f"{'':16}{'neighbours':>12}{'same digit?':>14}{'unseen digits':>16}")
for name, embed in embeddings.items():
    pairs, unseen = recognised(embed, new_x, new_y), recognised(embed, unseen_x, unseen_y)
    print(f"{name:16}{voted(embed):12.1%}{pairs:14.1%}{unseen:16.1%}")

# %%
# Neighbours are found with any of them, in the pixels too. Whether two pictures show the same digit is seen best by the
# losses that were trained for it: cross-entropy is content with the right side of a border, and pictures near it are
# close to those beyond. On digits that were never seen all three fail, worse than the pixels: seven classes teach a
# network what tells these seven apart, and to drop the rest. What recognises new faces was trained on many thousands.
#
# Above, the directions of the embeddings of new pictures, along the two axes in which those of the training pictures
# differ most. Below, the cosines of all pairs; what lies right of the line are the 1 % of different digits.

figure, axes = plt.subplots(2, 3, figsize=(10.5, 6.4), layout="constrained", height_ratios=(2, 1))
for (above, below), (name, embed) in zip(axes.T, list(embeddings.items())[1:], strict=True):
    new, trained = unit(embed(new_x)), unit(embed(x))
    plane = np.linalg.svd(trained - trained.mean(axis=0), full_matrices=False)[2][:2]
    points = (new - trained.mean(axis=0)) @ plane.T
    for digit in range(7):
        above.plot(*points[new_y == digit].T, ".", color=f"C{digit}", markersize=4, label=digit)
    above.set(title=name, aspect="equal", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), xticks=[], yticks=[])
    cosine, equal = pairs_of(new, new_y)
    below.hist(cosine[~equal], bins=60, range=(-1, 1), density=True, color="0.7", label="different digits")
    below.hist(cosine[equal], bins=60, range=(-1, 1), density=True, histtype="step", color="C3", label="equal digits")
    below.axvline(np.quantile(cosine[~equal], 0.99), color="0.3", linewidth=1)
    below.set(yscale="log", ylim=(1e-3, 60), xlabel="cosine of a pair")
    below.yaxis.set_visible(False)
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper", title="digit", markerscale=3)
axes[1, 0].legend(loc="upper left", fontsize="small")
plt.show()
