"""The min-max form of the area under the ROC curve: every item against two centres, which the list is told.

With w the weights, W, P and N their sums over all items, positives and negatives, p the share of positives, and c a
factor of each class ("v1": (1 - p)/W and p/W; "v2": 1/P and 1/N),

    L = c₊ Σ₊ w ((s - a)² - 2αs) + c₋ Σ₋ w ((s - b)² + 2αs) + k (2αm - α²),  k = p (1 - p) or 1.
"""

from lists.list cimport List, Options, item_weight

cdef enum:
    BY_CLASS = 1           # flag of AUC_MARGIN: "v2"


cdef inline double auc_margin(const Options* o, List* l) noexcept nogil:
    """The value, the gradient by each score, and into ``l.slopes`` those by a, b and alpha.

    ``l.centers`` holds a, b, alpha and the share of positives, a NaN where the list is to tell it. A list with one
    class then has nothing to compare.
    """
    cdef double a = l.centers[0], b = l.centers[1], alpha = l.centers[2], p = l.centers[3], margin = o.sigma
    cdef double positives = 0.0, negatives = 0.0, of_positive, of_negative, share, w, s, d
    cdef double value = 0.0, by_a = 0.0, by_b = 0.0, high = 0.0, low = 0.0
    cdef Py_ssize_t i
    for i in range(l.n):
        if l.label[i] > 0:
            positives += item_weight(l, i)
        else:
            negatives += item_weight(l, i)
        l.grad[i] = 0.0
    l.slopes[0] = l.slopes[1] = l.slopes[2] = 0.0
    if p != p or o.flags & BY_CLASS:
        if not (positives > 0 and negatives > 0):
            return 0.0
        p = positives / (positives + negatives)
    if o.flags & BY_CLASS:
        of_positive, of_negative, share = 1.0 / positives, 1.0 / negatives, 1.0
    elif positives + negatives > 0:
        of_positive, of_negative = (1.0 - p) / (positives + negatives), p / (positives + negatives)
        share = p * (1.0 - p)
    else:
        return 0.0
    for i in range(l.n):
        s = l.score[i]
        if l.label[i] > 0:
            w = item_weight(l, i) * of_positive
            if w == 0:
                continue
            d = s - a
            value += w * (d * d - 2.0 * alpha * s)
            l.grad[i] = 2.0 * w * (d - alpha)
            by_a += w * d
            high += w * s
        else:
            w = item_weight(l, i) * of_negative
            if w == 0:
                continue
            d = s - b
            value += w * (d * d + 2.0 * alpha * s)
            l.grad[i] = 2.0 * w * (d + alpha)
            by_b += w * d
            low += w * s
    l.slopes[0] = -2.0 * by_a
    l.slopes[1] = -2.0 * by_b
    l.slopes[2] = 2.0 * (low - high + share * (margin - alpha))
    return value + share * alpha * (2.0 * margin - alpha)
