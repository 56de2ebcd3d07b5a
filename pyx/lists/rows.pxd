"""Losses of a list in one pass over its items, or in one pass over their order: nothing here looks at pairs.

Shares of a softmax are kept as 1 + rest, relative to the largest score, so that what a share lacks to 1 keeps its
digits. Sums over "all who come later" are running sums; each is relative to its largest term so far.
"""

from libc.math cimport INFINITY, log1p

from lists.list cimport (
    List, Options, Shares, exp_nonpositive, exponentials, item_weight, score_difference, sigmoid, softplus,
    sort_falling,
)

cdef enum:
    # Flags of SOFTMAX
    NORMALIZED = 1         # labels are divided by their sum
    OF_LABELS = 2          # the target is the softmax of the labels
    # of XE_NDCG
    THIRD_ORDER = 1
    # of AUC
    SQUARED = 1
    EVERY_PAIR = 2         # no hinge


# ---- softmax ---------------------------------------------------------------------------------------------------

cdef inline double share_of(const Shares* shares, double e) noexcept nogil:
    return 0.0 if shares.rest < 0 else e / (1.0 + shares.rest)


cdef inline double lacking(const Shares* shares, double p, Py_ssize_t i) noexcept nogil:
    """1 - p of item i, from the others for the largest."""
    return shares.rest / (1.0 + shares.rest) if i == shares.first and not shares.rest < 0 else 1.0 - p


cdef inline double minus_log_share(const Shares* shares, double s, double beta) noexcept nogil:
    if shares.rest < 0:
        return INFINITY
    return beta * score_difference(shares.top, s) + log1p(shares.rest)


cdef inline void read_target(const Options* o, const List* l, double* target, double* portion) noexcept nogil:
    """Fill what the logarithms are multiplied by, with the weights, and the portions of that."""
    cdef Py_ssize_t i
    cdef double sum = 0.0, weighted = 0.0
    cdef Shares labels
    if o.flags & OF_LABELS:
        labels = exponentials(l.label, l.n, 1.0, target)
        for i in range(l.n):
            target[i] = share_of(&labels, target[i])
    else:
        for i in range(l.n):
            target[i] = l.label[i]
    for i in range(l.n):
        sum += target[i]
    for i in range(l.n):
        if o.flags & NORMALIZED:
            target[i] = target[i] / sum if sum != 0 else 1.0 / l.n
        target[i] *= item_weight(l, i)
        weighted += target[i]
    for i in range(l.n):
        portion[i] = target[i] / weighted if weighted != 0 else 1.0 / l.n


cdef inline double softmax_list(const Options* o, List* l) noexcept nogil:
    """-Σ t log p, and epsilon (1 - Σ t̂ p): value, beta (Σt p - t), beta² Σt p (1 - p)."""
    cdef double* target = l.room[0]
    cdef double* portion = l.room[1]
    cdef double* e = l.room[2]
    cdef double beta = o.sigma, value = 0.0, total = 0.0, kept = 0.0, p, q, slope
    cdef Shares shares = exponentials(l.score, l.n, beta, e)
    cdef Py_ssize_t i
    read_target(o, l, target, portion)
    for i in range(l.n):
        total += target[i]
        kept += portion[i] * share_of(&shares, e[i])
        if target[i] != 0:
            value += target[i] * minus_log_share(&shares, l.score[i], beta)
    for i in range(l.n):
        p = share_of(&shares, e[i])
        q = lacking(&shares, p, i)
        slope = total * p - target[i]
        if target[i] == total and i == shares.first:
            slope = -total * q
        l.grad[i] = beta * slope
        l.hess[i] = beta * beta * total * p * q
        if o.epsilon != 0:
            slope = p * (portion[i] - kept)
            l.grad[i] -= o.epsilon * beta * slope
            l.hess[i] -= o.epsilon * beta * beta * slope * (q - p)
    return value + o.epsilon * (1.0 - kept) if o.epsilon != 0 else value


cdef inline double xe_ndcg(const Options* o, List* l) noexcept nogil:
    """-Σ ρ log p with ρ = gain/Σ gain; LightGBM's correction of the third order if asked for."""
    cdef double* e = l.room[2]
    cdef double* term = l.room[0]
    cdef double* missing = l.room[1]
    cdef double value = 0.0, sum = 0.0, whole = 0.0, p, rho
    cdef Shares shares
    cdef Py_ssize_t i
    for i in range(l.n):
        l.grad[i] = l.hess[i] = 0.0
        sum += l.gain[i] * item_weight(l, i)
    if l.n < 2:
        return 0.0
    shares = exponentials(l.score, l.n, 1.0, e)
    for i in range(l.n):
        rho = l.gain[i] * item_weight(l, i) / max(sum, 1e-15)
        whole += rho
        if rho != 0:
            value += rho * minus_log_share(&shares, l.score[i], 1.0)
    for i in range(l.n):
        rho = l.gain[i] * item_weight(l, i) / max(sum, 1e-15)
        p = e[i] = share_of(&shares, e[i])
        missing[i] = lacking(&shares, p, i)
        l.grad[i] = p * whole - rho
        l.hess[i] = p * missing[i]
    if o.flags & THIRD_ORDER:
        sum = 0.0
        for i in range(l.n):
            term[i] = l.grad[i] / missing[i]
            sum += term[i]
        whole = 0.0
        for i in range(l.n):
            p = e[i] * (sum - term[i])
            l.grad[i] += p
            term[i] = p / missing[i]
            whole += term[i]
        for i in range(l.n):
            l.grad[i] += e[i] * (whole - term[i])
    return value


# ---- in the order of the labels --------------------------------------------------------------------------------

# log(Σ exp) as top + log(1 + rest).
cdef struct RunningSum:
    double top
    double rest


cdef inline void take_in(RunningSum* sum, double y) noexcept nogil:
    if y == -INFINITY:
        return
    if y > sum.top:
        sum.rest = exp_nonpositive(sum.top - y) * (1.0 + sum.rest) if sum.top != -INFINITY else 0.0
        sum.top = y
    else:
        sum.rest += exp_nonpositive(y - sum.top)


cdef inline double log_sum(const RunningSum* sum) noexcept nogil:
    return sum.top + log1p(sum.rest)


# Σ c exp(-d) and Σ c exp(-2 d) over denominators whose logarithms d do not rise, relative to the least of them.
cdef struct Denominators:
    double least
    double first
    double second


cdef inline void divide_by(Denominators* sums, double weight, double d) noexcept nogil:
    cdef double shrink
    if weight == 0:
        return
    if d < sums.least:
        shrink = exp_nonpositive(d - sums.least) if sums.least != INFINITY else 0.0
        sums.first *= shrink
        sums.second *= shrink * shrink
        sums.least = d
        sums.first += weight
        sums.second += weight
    else:
        shrink = exp_nonpositive(sums.least - d)
        sums.first += weight * shrink
        sums.second += weight * shrink * shrink


cdef inline double unique_softmax(const Options* o, List* l) noexcept nogil:
    """Σ gain softplus(L - s), L the log-sum-exp of the items with lower labels."""
    cdef double* below = l.room[0]
    cdef double value = 0.0, weight, d, share, z
    cdef RunningSum lower
    cdef Denominators sums
    cdef Py_ssize_t i = l.n - 1, k, j, start
    lower.top = -INFINITY
    lower.rest = 0.0
    sort_falling(l.label, l.n, l.places)
    while i >= 0:                        # by rising label, the tied together
        start = i
        while start > 0 and not l.label[l.places[start - 1].item] > l.label[l.places[i].item]:
            start -= 1
        for k in range(start, i + 1):
            below[k] = log_sum(&lower) if lower.top != -INFINITY else -INFINITY
        for k in range(start, i + 1):
            take_in(&lower, l.score[l.places[k].item])
        i = start - 1
    sums.least = INFINITY
    sums.first = sums.second = 0.0
    i = 0
    while i < l.n:                       # by falling label
        k = i
        while k < l.n and not l.label[l.places[k].item] < l.label[l.places[i].item]:
            j = l.places[k].item
            share = 0.0
            if sums.first != 0 and l.score[j] != -INFINITY:
                share = exp_nonpositive(min(l.score[j] - sums.least, 0.0))
            l.grad[j] = share * sums.first
            l.hess[j] = max(share * sums.first - share * share * sums.second, 0.0)
            k += 1
        while i < k:
            j = l.places[i].item
            weight = l.gain[j] * item_weight(l, j)
            if below[i] != -INFINITY and weight != 0:
                z = score_difference(below[i], l.score[j])
                d = below[i] + softplus(-z)              # log(exp(s) + exp(L))
                share = sigmoid(z)
                value += weight * softplus(z)
                l.grad[j] -= weight * share
                l.hess[j] += weight * share * sigmoid(-z)
                divide_by(&sums, weight, d)
            i += 1
    return value


cdef inline double plackett_luce(const Options* o, List* l) noexcept nogil:
    """Σ (L_i - s_i), L_i the log-sum-exp of item i and all behind it, over the first topn."""
    cdef double* behind = l.room[0]      # of those after i
    cdef double* weight = l.room[1]
    cdef double value = 0.0, z, share
    cdef Py_ssize_t k, j, first = min(o.topn, l.n)
    cdef RunningSum later
    cdef Denominators sums
    later.top = -INFINITY
    later.rest = 0.0
    sort_falling(l.label, l.n, l.places)
    for k in range(l.n - 1, -1, -1):
        behind[k] = log_sum(&later) if later.top != -INFINITY else -INFINITY
        take_in(&later, l.score[l.places[k].item])
    sums.least = INFINITY
    sums.first = sums.second = 0.0
    for k in range(l.n):
        j = l.places[k].item
        weight[k] = item_weight(l, j)
        share = 0.0
        if sums.first != 0 and l.score[j] != -INFINITY:
            share = exp_nonpositive(min(l.score[j] - sums.least, 0.0))
        l.grad[j] = share * sums.first
        l.hess[j] = max(share * sums.first - share * share * sums.second, 0.0)
        if k < first and behind[k] != -INFINITY and weight[k] != 0:
            z = score_difference(behind[k], l.score[j])
            share = sigmoid(z)
            value += weight[k] * softplus(z)
            l.grad[j] -= weight[k] * share
            l.hess[j] += weight[k] * share * sigmoid(-z)
            divide_by(&sums, weight[k], behind[k] + softplus(-z))
    return value


# ---- squares ---------------------------------------------------------------------------------------------------

cdef inline double mean_error(const List* l, double* d, bint weighted) noexcept nogil:
    """Fill d with score - label; return their mean."""
    cdef Py_ssize_t i
    cdef double sum = 0.0, total = 0.0, w
    for i in range(l.n):
        d[i] = l.score[i] - l.label[i]
    for i in range(l.n):                 # less the first: a mean far away would take the digits
        w = item_weight(l, i) if weighted else 1.0
        sum += w * (d[i] - d[0]) if w != 0 else 0.0
        total += w
    return d[0] + sum / total if total != 0 else 0.0


cdef inline double centred_pairs(const Options* o, List* l) noexcept nogil:
    """Σ w_i (d_i - d_j)² over all ordered pairs, from d less its mean: n Σ w d² + Σw Σd² - 2 Σwd Σd."""
    cdef double* d = l.room[0]
    cdef double mean, value = 0.0, w, all_weights = 0.0, errors = 0.0, weighted = 0.0
    cdef Py_ssize_t i
    if l.n == 0:
        return 0.0
    mean = mean_error(l, d, False)
    for i in range(l.n):
        d[i] -= mean
        all_weights += item_weight(l, i)
    for i in range(l.n):
        errors += d[i]
        weighted += item_weight(l, i) * d[i]
        value += (l.n * item_weight(l, i) + all_weights) * d[i] * d[i]
    for i in range(l.n):
        w = item_weight(l, i)
        l.grad[i] = 2.0 * (w * (l.n * d[i] - errors) + (all_weights * d[i] - weighted))
        l.hess[i] = 2.0 * (w * (l.n - 1) + (all_weights - w))
    return value - 2.0 * weighted * errors


cdef inline double centred(const Options* o, List* l) noexcept nogil:
    """Σ w (d - mean of d)², the mean with the weights."""
    cdef double* d = l.room[0]
    cdef double mean, value = 0.0, w, total = 0.0
    cdef Py_ssize_t i
    if l.n == 0:
        return 0.0
    mean = mean_error(l, d, True)
    for i in range(l.n):
        total += item_weight(l, i)
    for i in range(l.n):
        w = item_weight(l, i)
        d[i] -= mean
        l.grad[i] = 2.0 * w * d[i] if w != 0 else 0.0
        l.hess[i] = 2.0 * w * (1.0 - w / total) if w != 0 else 0.0
        value += w * d[i] * d[i] if w != 0 else 0.0
    return value


# ---- positives against negatives -------------------------------------------------------------------------------

cdef inline double every_pair(List* l, Py_ssize_t positives, double margin) noexcept nogil:
    """The mean of (margin - d)² over all pairs, from the means of both sides: nothing of one sign is taken off."""
    cdef double high = 0.0, low = 0.0, weight = 0.0, spread_high = 0.0, spread_low = 0.0, w, gap
    cdef Py_ssize_t i, negatives = l.n - positives
    for i in range(l.n):
        if l.label[i] > 0:
            w = item_weight(l, i)
            weight += w
            high += w * l.score[i] if w != 0 else 0.0
        else:
            low += l.score[i]
    high = high / weight if weight != 0 else 0.0
    low /= negatives
    for i in range(l.n):
        if l.label[i] > 0:
            w = item_weight(l, i)
            spread_high += w * (l.score[i] - high) * (l.score[i] - high) if w != 0 else 0.0
            l.grad[i] = -2.0 * w * (margin - l.score[i] + low) / positives if w != 0 else 0.0
            l.hess[i] = 2.0 * w / positives
        else:
            spread_low += (l.score[i] - low) * (l.score[i] - low)
            l.grad[i] = 2.0 * weight * (margin - high + l.score[i]) / (<double>positives * negatives)
            l.hess[i] = 2.0 * weight / (<double>positives * negatives)
    gap = margin - high + low
    return (weight * gap * gap + spread_high + weight * spread_low / negatives) / positives


# What lies beyond a bound that moves on: how many, and how far, summed, and the squares of that summed. Every step
# adds numbers of one sign.
cdef struct Beyond:
    double bound
    double count
    double sum
    double squares


cdef inline void move_bound(Beyond* far, double bound) noexcept nogil:
    cdef double step = bound - far.bound if bound > far.bound else far.bound - bound
    if far.count > 0 and step > 0:
        far.squares += 2.0 * step * far.sum + far.count * step * step
        far.sum += far.count * step
    far.bound = bound


cdef inline double area(const Options* o, List* l) noexcept nogil:
    """The mean over pairs of a positive and a negative of what the difference of their scores lacks to the margin.

    Sorted by score, the negatives that count for a positive are those above a bound that falls with it: their number
    and the sums of their distances move on with the bound. The same for a negative and the positives below a bound.
    """
    cdef double margin = o.sigma, value = 0.0, x, w, distance, scale
    cdef Py_ssize_t k, m, i, positives = 0
    cdef bint squared = (o.flags & SQUARED) != 0
    cdef Beyond above, below
    for i in range(l.n):
        l.grad[i] = l.hess[i] = 0.0
        positives += l.label[i] > 0
    if positives == 0 or positives == l.n:
        return 0.0
    if o.flags & EVERY_PAIR:
        return every_pair(l, positives, margin)
    scale = 1.0 / (<double>positives * (l.n - positives))
    sort_falling(l.score, l.n, l.places)
    above.bound = INFINITY
    above.count = above.sum = above.squares = 0.0
    m = 0
    for k in range(l.n):                 # positives by falling score
        i = l.places[k].item
        if not l.label[i] > 0:
            continue
        move_bound(&above, l.score[i] - margin)
        while m < l.n and l.score[l.places[m].item] > above.bound:
            if not l.label[l.places[m].item] > 0:
                distance = l.score[l.places[m].item] - above.bound
                above.count += 1.0
                above.sum += distance
                above.squares += distance * distance
            m += 1
        w = item_weight(l, i) * scale
        if above.count > 0 and w != 0:
            value += w * (above.squares if squared else above.sum)
            l.grad[i] = -w * (2.0 * above.sum if squared else above.count)
            l.hess[i] = 2.0 * w * above.count if squared else 0.0
    below.bound = -INFINITY
    below.count = below.sum = below.squares = 0.0
    m = l.n - 1
    for k in range(l.n - 1, -1, -1):     # negatives by rising score
        i = l.places[k].item
        if l.label[i] > 0:
            continue
        move_bound(&below, l.score[i] + margin)
        while m >= 0 and l.score[l.places[m].item] < below.bound:
            x = l.score[l.places[m].item]
            w = item_weight(l, l.places[m].item) * scale
            if l.label[l.places[m].item] > 0 and w != 0:
                below.count += w
                below.sum += w * (below.bound - x)
            m -= 1
        if below.count > 0:
            l.grad[i] = 2.0 * below.sum if squared else below.count
            l.hess[i] = 2.0 * below.count if squared else 0.0
    return value
