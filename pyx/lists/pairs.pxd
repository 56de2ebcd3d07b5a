"""Pairs of a list, of which one item is preferred: by its label, or for LambdaRank among the best ranks.

Items lie sorted, so that all partners of an item are neighbours: by falling label for pairs of labels, by falling
score for LambdaRank, where the better rank must be among the first. An item meets its partners in blocks of whole
vectors: first the weights of the pairs, then the loss of each, then the sums. There is never more than a block of pairs
in memory.

Held constant in the derivatives: ranks, and with them every weight of a pair.
"""

from libc.math cimport INFINITY, M_LN2, fabs, log1p, log2

from lists.list cimport (
    BLOCK, BY_TIME, HINGE, LAMBDA, LAMBDA_DOUBLED, LANES, LOGISTIC, PINBALL, SOFT_ZERO_ONE, SQUARED_ERROR,
    SQUARED_HINGE, List, Options, add_block_lanes, exp_nonpositive, item_weight, score_difference, sort_falling,
)

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

cdef extern from "losslib/lists/ranked.h" namespace "losslib" nogil:
    const double NEAR "losslib::near_scores"
    struct RankedItems:
        Py_ssize_t count
        const double* score
        const double* power
        const double* label
        const double* gain
        const double* discount
        const double* weight
        double* grad
        double* hess
        double sigma
        double least_bend
        bint by_distance
    void add_ranked_pairs(const RankedItems& items, Py_ssize_t first, Py_ssize_t last, double* value, double* slopes)

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

cdef enum:
    STRIP = 1 << 17        # pairs of a strip at least
    STRIPS = 16            # of a list at most

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

# The arrays of a list in the order of its pairs, and what a strip of pairs adds to.
cdef struct Pairs:
    double* score
    double* label
    double* gain           # over the ideal DCG
    double* discount       # 0 beyond topn
    double* rank
    double* weight
    double* power          # exp(-sigma (s_0 - s)), of LambdaRank
    double* by_distance    # disc(k) - disc(k + 1) at k
    double* precision      # of the first k ranks: relevant ones / k
    double* summed         # sum of 1/k over the relevant ones of the first k ranks
    Py_ssize_t topn
    double relevant
    bint by_score          # weights are divided by the distance of the scores
    bint far               # and some distance is infinite
    bint near              # the powers stand for the exponentials of all pairs
    double slope_unit      # what slopes and curvatures are multiplied by in the end
    double curvature_unit
    double* grad
    double* hess
    double value[64]       # in lanes
    double slopes[64]      # slopes of all pairs, each without its sign


cdef inline Pairs arrange(const Options* o, List* l) noexcept nogil:
    cdef Pairs p
    cdef int k
    p.score, p.label, p.gain = l.room[0], l.room[1], l.room[2]
    p.discount, p.rank, p.weight = l.room[3], l.room[4], l.room[5]
    p.grad, p.hess = l.room[6], l.room[7]
    p.by_distance, p.precision, p.summed = l.room[8], l.room[9], l.room[10]
    p.power = l.room[11]
    p.topn = min(o.topn, l.n)
    p.relevant = 0.0
    p.by_score = p.far = p.near = False
    p.slope_unit = p.curvature_unit = 1.0
    for k in range(BLOCK):
        p.value[k] = p.slopes[k] = 0.0
    return p


cdef inline double ideal_dcg(const Options* o, List* l) noexcept nogil:
    """The DCG of the first topn ranks in the order of the labels; the places are sorted by label afterwards."""
    cdef double total = 0.0
    cdef Py_ssize_t k
    sort_falling(l.label, l.n, l.places)
    for k in range(min(o.topn, l.n)):
        total += l.gain[l.places[k].item] * o.discount[k]
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
                              int vectors, bint by_score, double* w, double* sign) noexcept nogil:
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


cdef inline void add_far_block(const Options* o, Pairs* p, Py_ssize_t i, Py_ssize_t j, Py_ssize_t end,
                               int vectors) noexcept nogil:
    """Add the values of pairs at an infinite distance d in the wrong order: softplus(sigma d)/(0.01 + d) is sigma."""
    cdef double w[64]
    cdef double sign[64]
    cdef int k
    weigh_ranked(o, p, i, j, end, vectors, False, w, sign)
    for k in range(LANES * vectors):
        if sign[k] < 0 and score_difference(p.score[i], p.score[j + k]) == INFINITY:
            p.value[k] += o.sigma * w[k]


cdef inline void meet(PairLoss loss, const Options* o, Pairs* p, Py_ssize_t i, Py_ssize_t start, Py_ssize_t end,
                      bint ranked) noexcept nogil:
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
            weigh_ranked(o, p, i, j, end, vectors, p.by_score, w, sign)
            if p.far:
                add_far_block(o, p, i, j, end, vectors)
        else:
            weigh(o, p, i, j, end, vectors, w)
        add_block(loss, p, i, j, vectors, w, sign, &sums)
        j += BLOCK
    p.grad[i] += add_block_lanes(sums.slope)
    p.hess[i] += add_block_lanes(sums.curvature)


# ---- a list ------------------------------------------------------------------------------------------------------

cdef inline bint is_of_pairs(int kind) noexcept nogil:
    return kind <= LAMBDA_DOUBLED or kind == BY_TIME


cdef inline void arrange_by_label(const Options* o, List* l, Pairs* p) noexcept nogil:
    """All pairs of different labels."""
    cdef Py_ssize_t k
    cdef double ideal = 0.0
    cdef double* rank = l.room[12]
    cdef bint ranked = (o.weighting & 15) >= NDCG
    if ranked:
        ideal = ideal_dcg(o, l)
        sort_falling(l.score, l.n, l.places)
        for k in range(l.n):
            rank[l.places[k].item] = k + 1
            p.by_distance[k] = o.discount[k - 1] - o.discount[k] if k > 0 else 0.0
    sort_falling(l.label, l.n, l.places)
    lay_out(l, p, ideal)
    if ranked:
        for k in range(l.n):
            p.rank[k] = rank[l.places[k].item]
            p.discount[k] = o.discount[<Py_ssize_t>p.rank[k] - 1] if p.rank[k] <= p.topn else 0.0


cdef inline void arrange_by_rank(const Options* o, List* l, Pairs* p) noexcept nogil:
    """LambdaRank: pairs of different labels, of which one is ranked among the first topn."""
    cdef Py_ssize_t k, worst = l.n - 1
    cdef double ideal = 0.0, summed = 0.0
    cdef int weighting = o.weighting & 15
    if weighting == NDCG:
        ideal = ideal_dcg(o, l)
    sort_falling(l.score, l.n, l.places)
    lay_out(l, p, ideal)
    for k in range(l.n):
        p.discount[k] = o.discount[k]
    if weighting == MAP:
        for k in range(l.n):
            if p.label[k] > 0:
                p.relevant += 1.0
                summed += 1.0 / (k + 1)
            p.precision[k] = p.relevant / (k + 1)
            p.summed[k] = summed
    while worst > 0 and p.score[worst] == -INFINITY:
        worst -= 1
    p.by_score = (o.weighting & BY_DISTANCE) != 0 and p.score[0] != p.score[worst]
    p.far = p.by_score and p.score[0] - p.score[l.n - 1] == INFINITY
    p.near = weighting != MAP and o.sigma * (p.score[0] - p.score[l.n - 1]) <= NEAR
    if not p.near:
        return
    for k in range(l.n):
        p.power[k] = exp_nonpositive(o.sigma * (p.score[k] - p.score[0]))
    for k in range(l.n, l.n + LANES):
        p.power[k], p.discount[k] = 1.0, 2.0
    p.slope_unit = o.sigma
    p.curvature_unit = o.sigma * o.sigma * (2.0 if o.kind == LAMBDA_DOUBLED else 1.0)


cdef inline void arrange_by_time(const Options* o, List* l, Pairs* p) noexcept nogil:
    """Survival: each event with all who are observed beyond it; rows lie by time, the events of a time first.

    `label` is the time and `gain` 1 for an event; the weight of a pair is that of its event. `each` takes the value of
    each row.
    """
    cdef Py_ssize_t k
    for k in range(l.n):
        l.places[k].item = k
        l.each[k] = 0.0
    lay_out(l, p, 1.0)


cdef inline Pairs arrange_pairs(const Options* o, List* l) noexcept nogil:
    """Sort the items and lay them out in the order of their pairs."""
    cdef Pairs p = arrange(o, l)
    if o.kind == BY_TIME:
        arrange_by_time(o, l, &p)
    elif o.kind == LAMBDA or o.kind == LAMBDA_DOUBLED:
        arrange_by_rank(o, l, &p)
    else:
        arrange_by_label(o, l, &p)
    return p


# ---- strips ------------------------------------------------------------------------------------------------------

# A long list is computed in strips, each of which has sums of its own: those of some of its items with all behind them.
# Strips and the order in which they are added up depend on the list alone, never on the threads.

cdef inline Py_ssize_t pairs_before(Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """The pairs of the first i items with all behind them, labels aside."""
    return i * n - i * (i - 1) // 2


cdef inline Py_ssize_t items_of(const Options* o, Py_ssize_t n) noexcept nogil:
    """The items that meet those behind them: the first so many."""
    return min(o.topn, n) if o.kind == LAMBDA or o.kind == LAMBDA_DOUBLED else n


cdef inline Py_ssize_t count_strips(const Options* o, Py_ssize_t n) noexcept nogil:
    return max(<Py_ssize_t>1, min(pairs_before(items_of(o, n), n) // STRIP, <Py_ssize_t>STRIPS))


cdef inline Py_ssize_t strip_start(const Options* o, Py_ssize_t n, Py_ssize_t k, Py_ssize_t strips) noexcept nogil:
    """The first item of strip k: strips have about as many pairs each."""
    cdef Py_ssize_t items = items_of(o, n), low = 0, high = items, middle, wanted = pairs_before(items, n) // strips * k
    if k == strips:
        return items
    while low < high:
        middle = (low + high) // 2
        if pairs_before(middle, n) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline void strip_by_label(PairLoss loss, const Options* o, List* l, Pairs* p, Py_ssize_t first,
                                Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t i, end = first
    for i in range(first, last):
        if end <= i:
            end = i + 1
            while end < l.n and not p.label[end] < p.label[i]:
                end += 1
        if end < l.n:
            meet(loss, o, p, i, end, l.n, False)


cdef inline void strip_by_rank(PairLoss loss, const Options* o, List* l, Pairs* p, Py_ssize_t first,
                               Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t i
    cdef RankedItems items
    if not p.near:
        for i in range(first, last):
            meet(loss, o, p, i, i + 1, l.n, True)
        return
    items.count = l.n
    items.score, items.power, items.label, items.discount = p.score, p.power, p.label, p.discount
    items.gain = p.gain if (o.weighting & 15) == NDCG else NULL
    items.weight = p.weight if l.weight != NULL else NULL
    items.grad, items.hess = p.grad, p.hess
    items.sigma = o.sigma
    items.least_bend = 1e-16 if o.kind == LAMBDA_DOUBLED else 0.0
    items.by_distance = p.by_score
    add_ranked_pairs(items, first, last, p.value, p.slopes)


cdef inline void strip_by_time(PairLoss loss, const Options* o, List* l, Pairs* p, Py_ssize_t first,
                               Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t i, end = first
    cdef int lane
    for i in range(first, last):
        if l.gain[i] == 0:
            continue
        if end <= i:
            end = i
            while end < l.n and l.label[end] == l.label[i] and l.gain[end] != 0:
                end += 1
        for lane in range(BLOCK):
            p.value[lane] = 0.0
        if l.weight == NULL or l.weight[i] != 0:
            meet(loss, o, p, i, end, l.n, False)
        l.each[i] = add_block_lanes(p.value)


cdef inline void run_strip(const Options* o, List* l, Pairs* p, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Let the items first … last - 1 meet all behind them."""
    cdef LogisticPair logistic
    cdef DoubledPair doubled
    cdef HingePair hinge
    cdef SquaredHingePair squared_hinge
    cdef SoftZeroOnePair zero_one
    cdef SquaredErrorPair squared
    cdef PinballPair pinball
    cdef SquaredPinballPair squared_pinball
    logistic.sigma = doubled.sigma = o.sigma
    if o.kind == LOGISTIC:
        strip_by_label(logistic, o, l, p, first, last)
    elif o.kind == LAMBDA:
        strip_by_rank(logistic, o, l, p, first, last)
    elif o.kind == BY_TIME:
        strip_by_time(logistic, o, l, p, first, last)
    elif o.kind == LAMBDA_DOUBLED:
        strip_by_rank(doubled, o, l, p, first, last)
    elif o.kind == HINGE:
        hinge.margin = o.sigma
        strip_by_label(hinge, o, l, p, first, last)
    elif o.kind == SQUARED_HINGE:
        squared_hinge.margin = o.sigma
        strip_by_label(squared_hinge, o, l, p, first, last)
    elif o.kind == SOFT_ZERO_ONE:
        zero_one.sigma = o.sigma
        strip_by_label(zero_one, o, l, p, first, last)
    elif o.kind == SQUARED_ERROR:
        squared.unused = 0.0
        strip_by_label(squared, o, l, p, first, last)
    elif o.kind == PINBALL:
        pinball.tau = o.sigma
        strip_by_label(pinball, o, l, p, first, last)
    else:
        squared_pinball.tau = o.sigma
        strip_by_label(squared_pinball, o, l, p, first, last)


cdef inline void open_strip(const Pairs* p, Pairs* strip, double* grad, double* hess, Py_ssize_t first,
                            Py_ssize_t n) noexcept nogil:
    """Give a strip sums of its own, of the items from its first on."""
    cdef Py_ssize_t i
    strip[0] = p[0]
    strip.grad, strip.hess = grad, hess
    for i in range(BLOCK):
        strip.value[i] = strip.slopes[i] = 0.0
    for i in range(first, n + LANES):
        grad[i] = hess[i] = 0.0


cdef inline void add_strip(Pairs* p, const Pairs* strip, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(BLOCK):
        p.value[i] += strip.value[i]
        p.slopes[i] += strip.slopes[i]
    for i in range(first, n):
        p.grad[i] += strip.grad[i]
    for i in range(first, n):
        p.hess[i] += strip.hess[i]


cdef inline double give_back(const Options* o, List* l, Pairs* p) noexcept nogil:
    """Bring the derivatives back into the order of the list; return the value."""
    cdef double factor = 1.0, slopes
    cdef Py_ssize_t k
    if o.weighting & BY_SUM:
        slopes = 2.0 * add_block_lanes(p.slopes) * p.slope_unit
        factor = (log1p(slopes) / slopes if slopes > 0 else 1.0) / M_LN2
    for k in range(l.n):
        l.grad[l.places[k].item] = p.grad[k] * (factor * p.slope_unit)
        l.hess[l.places[k].item] = p.hess[k] * (factor * p.curvature_unit)
    return add_block_lanes(p.value) * factor


cdef inline double pairs_of_list(const Options* o, List* l) noexcept nogil:
    """A list on one thread: its strips one after the other."""
    cdef Pairs p = arrange_pairs(o, l)
    cdef Pairs strip
    cdef Py_ssize_t k, first, last, strips = count_strips(o, l.n)
    if strips == 1:
        run_strip(o, l, &p, 0, items_of(o, l.n))
        return give_back(o, l, &p)
    for k in range(strips):
        first, last = strip_start(o, l.n, k, strips), strip_start(o, l.n, k + 1, strips)
        open_strip(&p, &strip, l.room[12], l.room[13], first, l.n)
        run_strip(o, l, &strip, first, last)
        add_strip(&p, &strip, first, l.n)
    return give_back(o, l, &p)


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
