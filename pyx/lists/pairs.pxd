"""Pairs of a list, of which one item is preferred: by its label, or for LambdaRank among the best ranks.

Items lie sorted, so that all partners of an item are neighbours: by falling label for pairs of labels, by falling
score for LambdaRank, where the better rank must be among the first. An item meets its partners in blocks of whole
vectors: first the weights of the pairs, then the loss of each, then the sums. There is never more than a block of pairs
in memory.

Held constant in the derivatives: ranks, and with them every weight of a pair.
"""

from libc.math cimport INFINITY, fabs, log2

from lists.list cimport BLOCK, LANES, List, Options, add_block_lanes, item_weight, score_difference, sort_falling

cdef extern from "losslib/lists/pairs.h" namespace "losslib" nogil:
    struct PairTerm:
        double value
        double slope
        double curvature
    cppclass LogisticPair:
        double sigma
        PairTerm at(double d, double gap)
    cppclass DoubledPair:
        double sigma
        PairTerm at(double d, double gap)
    cppclass HingePair:
        double margin
        PairTerm at(double d, double gap)
    cppclass SquaredHingePair:
        double margin
        PairTerm at(double d, double gap)
    cppclass SoftZeroOnePair:
        double sigma
        PairTerm at(double d, double gap)
    cppclass SquaredErrorPair:
        double unused
        PairTerm at(double d, double gap)
    cppclass PinballPair:
        double tau
        PairTerm at(double d, double gap)
    cppclass SquaredPinballPair:
        double tau
        PairTerm at(double d, double gap)

cdef extern from "losslib/core/select.h" namespace "losslib" nogil:
    double product_or_zero(double coefficient, double factor)

ctypedef fused PairLoss:
    LogisticPair
    DoubledPair
    HingePair
    SquaredHingePair
    SoftZeroOnePair
    SquaredErrorPair
    PinballPair
    SquaredPinballPair

cdef enum Weighting:
    EQUAL = 0
    LABEL_DIFFERENCE = 1
    NDCG = 2
    NDCG2 = 3
    NDCG2PP = 4
    MAP = 5                # of LambdaRank
    BOTH_ITEMS = 16        # flag: the weights of both items are added, not that of the preferred one taken
    BY_DISTANCE = 32       # flag: LambdaRank's weights are divided by 0.01 + the distance of the scores
    BY_SUM = 64            # flag: and by the sum of all slopes, of which the logarithm is kept

# The arrays of a list in the order of its pairs.
cdef struct Pairs:
    double* score
    double* label
    double* gain           # over the ideal DCG
    double* discount       # 0 beyond topn
    double* rank
    double* weight
    double* grad
    double* hess
    double* by_distance    # disc(k) - disc(k + 1) at k
    double* precision      # of the first k ranks: relevant ones / k
    double* summed         # sum of 1/k over the relevant ones of the first k ranks
    Py_ssize_t topn
    double relevant
    double value[64]       # of the list, in lanes
    double slopes[64]      # slopes of all pairs, each without its sign


cdef inline Pairs arrange(const Options* o, List* l) noexcept nogil:
    cdef Pairs p
    p.score, p.label, p.gain = l.room[0], l.room[1], l.room[2]
    p.discount, p.rank, p.weight = l.room[3], l.room[4], l.room[5]
    p.grad, p.hess = l.room[6], l.room[7]
    p.by_distance, p.precision, p.summed = l.room[8], l.room[9], l.room[10]
    p.topn = min(o.topn, l.n)
    cdef int k
    p.relevant = 0.0
    for k in range(BLOCK):
        p.value[k] = p.slopes[k] = 0.0
    return p


cdef inline double ideal_dcg(const Options* o, List* l) noexcept nogil:
    """The DCG of the first topn ranks in the order of the labels; the places are sorted by label afterwards."""
    cdef double total = 0.0
    cdef Py_ssize_t k
    sort_falling(l.label, l.n, l.places)
    for k in range(min(o.topn, l.n)):
        total += l.gain[l.places[k].item] / log2(2.0 + k)
    return total


cdef inline void lay_out(List* l, Pairs* p, double ideal) noexcept nogil:
    """Copy the items in the order of the places; the places behind the last are neutral."""
    cdef Py_ssize_t k, i
    cdef double inverse = 1.0 / ideal if ideal != 0 else 0.0
    for k in range(l.n):
        i = l.places[k].item
        p.score[k] = l.score[i]
        p.label[k] = l.label[i]
        p.gain[k] = l.gain[i] * inverse if l.gain != NULL else 0.0
        p.weight[k] = item_weight(l, i)
        p.grad[k] = p.hess[k] = 0.0
    for k in range(l.n, l.n + LANES):
        p.score[k] = p.label[k] = p.gain[k] = p.weight[k] = p.grad[k] = p.hess[k] = 0.0
        p.discount[k] = p.precision[k] = p.summed[k] = 0.0
        p.rank[k] = 1.0


cdef inline double by_distance(const Pairs* p, double a, double b) noexcept nogil:
    """disc(k) - disc(k + 1) of the distance k of two ranks, larger where the worse one is beyond topn."""
    cdef double worse = max(a, b)
    cdef double found = p.by_distance[<Py_ssize_t>fabs(a - b)]
    return found / (1.0 - 1.0 / log2(1.0 + worse)) if worse > p.topn else found


cdef inline void weigh(const Options* o, const Pairs* p, Py_ssize_t i, Py_ssize_t j, Py_ssize_t end,
                       int vectors, double* w) noexcept nogil:
    """The weights of the pairs of item i with the block from j on; none beyond the end."""
    cdef int k, weighting = o.weighting & 15
    cdef double gap
    if weighting == EQUAL:
        for k in range(LANES * vectors):
            w[k] = 1.0
    elif weighting == LABEL_DIFFERENCE:
        for k in range(LANES * vectors):
            w[k] = fabs(p.label[i] - p.label[j + k])
    elif weighting == NDCG:
        for k in range(LANES * vectors):
            w[k] = fabs(p.gain[i] - p.gain[j + k]) * fabs(p.discount[i] - p.discount[j + k])
    else:
        for k in range(LANES * vectors):
            gap = fabs(p.gain[i] - p.gain[j + k])
            w[k] = gap * by_distance(p, p.rank[i], p.rank[j + k])
            if weighting == NDCG2PP:
                w[k] = o.epsilon * w[k] + gap * fabs(p.discount[i] - p.discount[j + k])
    if o.weighting & BOTH_ITEMS:
        for k in range(LANES * vectors):
            w[k] *= p.weight[i] + p.weight[j + k]
    else:
        for k in range(LANES * vectors):
            w[k] *= p.weight[i]
    for k in range(end - j, LANES * vectors):
        w[k] = 0.0


cdef inline void weigh_ranked(const Options* o, const Pairs* p, Py_ssize_t i, Py_ssize_t j, Py_ssize_t end,
                              bint by_score, int vectors, double* w, double* sign) noexcept nogil:
    """The same for LambdaRank, where item i is ranked above the block; `sign` is -1 where it is not preferred."""
    cdef int k, weighting = o.weighting & 15
    cdef double own
    for k in range(LANES * vectors):
        sign[k] = 1.0 if p.label[i] > p.label[j + k] else -1.0
        w[k] = 1.0
    if weighting == NDCG:
        for k in range(LANES * vectors):
            w[k] = fabs(p.gain[i] - p.gain[j + k]) * fabs(p.discount[i] - p.discount[j + k])
    elif weighting == MAP:
        for k in range(LANES * vectors):  # what the average precision changes by when the two items change places
            own = 0.0 if sign[k] > 0 else 1.0 / (i + 1)
            w[k] = fabs(p.precision[i] + own - p.precision[j + k] + p.summed[j + k - 1] - p.summed[i]) / p.relevant
    if by_score:
        for k in range(LANES * vectors):
            w[k] /= 0.01 + fabs(score_difference(p.score[i], p.score[j + k]))
    for k in range(LANES * vectors):
        w[k] *= p.weight[i] if sign[k] > 0 else p.weight[j + k]
        w[k] = 0.0 if p.label[i] == p.label[j + k] else w[k]
    for k in range(end - j, LANES * vectors):
        w[k] = 0.0


# What the pairs of one item add up to, in lanes.
cdef struct Lanes:
    double slope[64]
    double curvature[64]


cdef inline void add_block(PairLoss loss, Pairs* p, Py_ssize_t i, Py_ssize_t j, int vectors,
                           const double* w, const double* sign, Lanes* sums) noexcept nogil:
    """Add the pairs of item i with a block, to the sums of the item and to the derivatives of the block."""
    cdef double value[64]
    cdef double slope[64]
    cdef double curvature[64]
    cdef double x = p.score[i], y = p.label[i]
    cdef const double* others = p.score + j
    cdef const double* labels = p.label + j
    cdef PairTerm term
    cdef int k
    for k in range(LANES * vectors):
        term = loss.at(sign[k] * score_difference(x, others[k]), y - labels[k])
        value[k] = product_or_zero(w[k], term.value)
        slope[k] = product_or_zero(w[k], term.slope)
        curvature[k] = product_or_zero(w[k], term.curvature)
    for k in range(LANES * vectors):
        p.value[k] += value[k]
        p.slopes[k] += fabs(slope[k])
        slope[k] *= sign[k]
        sums.slope[k] += slope[k]
        sums.curvature[k] += curvature[k]
    for k in range(LANES * vectors):
        p.grad[j + k] -= slope[k]
    for k in range(LANES * vectors):
        p.hess[j + k] += curvature[k]


cdef inline void meet(PairLoss loss, const Options* o, Pairs* p, Py_ssize_t i, Py_ssize_t start, Py_ssize_t end,
                      bint ranked, bint by_score) noexcept nogil:
    """Let item i meet its partners start … end - 1."""
    cdef Lanes sums
    cdef double w[64]
    cdef double sign[64]
    cdef Py_ssize_t j = start
    cdef int k, vectors = 0
    for k in range(BLOCK):
        sums.slope[k] = sums.curvature[k] = 0.0
        sign[k] = 1.0
    while j < end:
        vectors = <int>((min(end - j, <Py_ssize_t>BLOCK) + LANES - 1) // LANES)
        if ranked:
            weigh_ranked(o, p, i, j, end, by_score, vectors, w, sign)
        else:
            weigh(o, p, i, j, end, vectors, w)
        add_block(loss, p, i, j, vectors, w, sign, &sums)
        j += BLOCK
    p.grad[i] += add_block_lanes(sums.slope)
    p.hess[i] += add_block_lanes(sums.curvature)


cdef inline double give_back(List* l, Pairs* p, double factor) noexcept nogil:
    """Bring the derivatives back into the order of the list; return the value."""
    cdef Py_ssize_t k
    for k in range(l.n):
        l.grad[l.places[k].item] = p.grad[k] * factor
        l.hess[l.places[k].item] = p.hess[k] * factor
    return add_block_lanes(p.value) * factor


cdef inline double pairs_by_label(PairLoss loss, const Options* o, List* l) noexcept nogil:
    """All pairs of different labels."""
    cdef Pairs p = arrange(o, l)
    cdef Py_ssize_t i = 0, k, end
    cdef double ideal = 0.0
    cdef double* rank = l.room[11]
    cdef bint ranked = (o.weighting & 15) >= NDCG
    if ranked:
        ideal = ideal_dcg(o, l)
        sort_falling(l.score, l.n, l.places)
        for k in range(l.n):
            rank[l.places[k].item] = k + 1
            p.by_distance[k] = 1.0 / log2(1.0 + k) - 1.0 / log2(2.0 + k) if k > 0 else 0.0
    sort_falling(l.label, l.n, l.places)
    lay_out(l, &p, ideal)
    if ranked:
        for k in range(l.n):
            p.rank[k] = rank[l.places[k].item]
            p.discount[k] = 1.0 / log2(1.0 + p.rank[k]) if p.rank[k] <= p.topn else 0.0
    while i < l.n:
        end = i + 1
        while end < l.n and not p.label[end] < p.label[i]:
            end += 1
        for k in range(i, end if end < l.n else i):
            meet(loss, o, &p, k, end, l.n, False, False)
        i = end
    return give_back(l, &p, 1.0)


cdef inline double pairs_by_rank(PairLoss loss, const Options* o, List* l) noexcept nogil:
    """LambdaRank: pairs of different labels, of which one is ranked among the first topn."""
    cdef Pairs p = arrange(o, l)
    cdef Py_ssize_t k, worst = l.n - 1
    cdef double ideal = 0.0, relevant = 0.0, summed = 0.0, factor = 1.0, slopes
    cdef bint by_score
    if (o.weighting & 15) == NDCG:
        ideal = ideal_dcg(o, l)
    sort_falling(l.score, l.n, l.places)
    lay_out(l, &p, ideal)
    for k in range(l.n):
        p.discount[k] = 1.0 / log2(2.0 + k)
        if p.label[k] > 0:
            relevant += 1.0
            summed += 1.0 / (k + 1)
        p.precision[k] = relevant / (k + 1)
        p.summed[k] = summed
    p.relevant = relevant
    while worst > 0 and p.score[worst] == -INFINITY:
        worst -= 1
    by_score = (o.weighting & BY_DISTANCE) != 0 and p.score[0] != p.score[worst]
    for k in range(p.topn):
        meet(loss, o, &p, k, k + 1, l.n, True, by_score)
    if o.weighting & BY_SUM:
        slopes = 2.0 * add_block_lanes(p.slopes)
        if slopes > 0:
            factor = log2(1.0 + slopes) / slopes
    return give_back(l, &p, factor)


cdef inline double pairs_by_time(PairLoss loss, const Options* o, List* l) noexcept nogil:
    """Survival: each event with all who are observed beyond it; rows lie by time, the events of a time first.

    `label` is the time and `gain` 1 for an event; the weight of a pair is that of its event. `each` takes the value of
    each row.
    """
    cdef Pairs p = arrange(o, l)
    cdef Py_ssize_t i = 0, k, end
    cdef int lane
    for k in range(l.n):
        l.places[k].item = k
    lay_out(l, &p, 1.0)
    while i < l.n:
        end = i
        while end < l.n and l.label[end] == l.label[i] and l.gain[end] != 0:
            end += 1
        for k in range(i, end):
            for lane in range(BLOCK):
                p.value[lane] = 0.0
            if l.weight == NULL or l.weight[k] != 0:
                meet(loss, o, &p, k, end, l.n, False, False)
            l.each[k] = add_block_lanes(p.value)
        if end == i:
            l.each[i] = 0.0
            end += 1
        i = end
    return give_back(l, &p, 1.0)


cdef inline double count_pairs(const Options* o, List* l) noexcept nogil:
    """The number of pairs of different labels, each as often as its preferred item weighs."""
    cdef Py_ssize_t i = 0, end
    cdef double found = 0.0, weight
    sort_falling(l.label, l.n, l.places)
    while i < l.n:
        end, weight = i, 0.0
        while end < l.n and not l.label[l.places[end].item] < l.label[l.places[i].item]:
            weight += item_weight(l, l.places[end].item)
            end += 1
        found += weight * (l.n - end)
        i = end
    return found
