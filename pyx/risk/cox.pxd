"""The partial likelihood of one stratum, whose rows are sorted by time, the deaths of a time before its censorings.

``sum_masses``   from the last time to the first: the risk set of each time of a death, as those who die then and the
                 others at risk.
``sum_deaths``   each such time by itself: its share of the value, and the sums over its denominators.
``write_slopes`` from the first time to the last: a row collects the deaths at which it was at risk.

Without entry times risk sets only grow backwards in time, and what a row collects only grows with it: two running sums.
With them rows leave too, and a row's deaths begin in the middle: both sums become trees, since a difference of running
sums has no correct digit where large terms have come and gone.
"""

from libc.math cimport exp

from risk.trees cimport (
    Mass, Rate, add_up, between, leaves_for, mass_of, masses_together, no_mass, no_rate, rates_together, set_leaf,
)

cdef extern from "losslib/risk/cox.h" namespace "losslib" nogil:
    struct Deaths:
        double log_sum
        double top
        double first
        double second
        double own
        double own_squared
        double spared
        double largest
        Py_ssize_t who
        bint who_dies
    Deaths deaths_at(const Mass& others, const Mass& dying, Py_ssize_t m, bint efron)

# The rows of a stratum and the workspace that goes with them; arrays of rows unless said otherwise.
cdef struct Stratum:
    Py_ssize_t rows
    const double* time
    const unsigned char* event
    const double* score
    const double* weight
    const double* y                # score + log(weight)
    const double* entry            # NULL without entry times
    const Py_ssize_t* by_entry     # rows by falling entry
    const double* upstream         # of each row's value; NULL for 1 everywhere
    bint efron
    double* values                 # NULL where they are not wanted
    double* grad                   # NULL without derivatives
    double* hess                   # NULL without second ones
    # of the times of deaths, as many as `deaths`
    Py_ssize_t deaths
    Py_ssize_t* first              # the first of its rows; the deaths come first
    Py_ssize_t* count              # its deaths
    Mass* others
    Mass* dying
    Deaths* found
    double* weight_of              # the mean weight of the deaths
    double* upstream_of            # the mean of their upstream
    # with entry times
    Mass* masses                   # a tree of rows
    Rate* rates                    # a tree of deaths
    Py_ssize_t* start              # of each row: the first death at which it is at risk
    Py_ssize_t* open_from          # and the first since which it is not the largest


cdef inline void find_deaths(Stratum* s) noexcept nogil:
    """List the times of deaths."""
    cdef Py_ssize_t i = 0, j
    s.deaths = 0
    while i < s.rows:
        j = i
        while j < s.rows and s.time[j] == s.time[i] and s.event[j]:
            j += 1
        if j > i:
            s.first[s.deaths] = i
            s.count[s.deaths] = j - i
            s.deaths += 1
        else:
            j = i + 1
        i = j


cdef inline void sum_masses(Stratum* s) noexcept nogil:
    """The risk sets of all times of deaths, backwards."""
    cdef Py_ssize_t k = s.deaths - 1, i = s.rows - 1, gone = 0, j, last
    cdef Py_ssize_t leaves = leaves_for(s.rows)
    cdef Mass sum = no_mass(), dying
    if s.entry != NULL:
        for j in range(2 * leaves):
            s.masses[j] = no_mass()
        for j in range(s.rows):
            s.start[j] = 0
    while k >= 0:
        last = s.first[k] + s.count[k] - 1
        while i > last:
            if s.entry == NULL:
                sum = masses_together(sum, mass_of(s.y[i], i))
            else:
                set_leaf(s.masses, leaves, i, mass_of(s.y[i], i))
            i -= 1
        if s.entry != NULL:
            while gone < s.rows and s.entry[s.by_entry[gone]] >= s.time[last]:
                set_leaf(s.masses, leaves, s.by_entry[gone], no_mass())
                s.start[s.by_entry[gone]] = k + 1
                gone += 1
            sum = s.masses[1]
        dying = no_mass()
        while i >= s.first[k]:
            dying = masses_together(dying, mass_of(s.y[i], i))
            if s.entry != NULL:
                set_leaf(s.masses, leaves, i, mass_of(s.y[i], i))
            i -= 1
        s.others[k] = sum
        s.dying[k] = dying
        if s.entry == NULL:
            sum = masses_together(sum, dying)
        k -= 1


cdef inline void sum_deaths(Stratum* s) noexcept nogil:
    """Values of the deaths, and what each time of a death adds to the rows at risk then."""
    cdef Py_ssize_t k, i, stop
    cdef double weight, total, upstream, mean
    cdef Deaths found
    for k in range(s.deaths):
        found = deaths_at(s.others[k], s.dying[k], s.count[k], s.efron)
        weight = total = upstream = 0.0
        stop = s.first[k] + s.count[k]
        for i in range(s.first[k], stop):
            weight += s.weight[i]
            upstream += 1.0 if s.upstream == NULL else s.upstream[i]
            if s.weight[i] != 0:
                total += s.weight[i] * (found.top - s.score[i])
        mean = weight / s.count[k]
        if mean != 0:
            total += mean * found.log_sum
        s.found[k] = found
        s.weight_of[k] = mean
        s.upstream_of[k] = upstream / s.count[k]
        if s.values != NULL:
            for i in range(s.first[k], stop):
                s.values[i] = total / s.count[k]


cdef inline double factor_of(const Stratum* s, Py_ssize_t k) noexcept nogil:
    return s.weight_of[k] * s.upstream_of[k]


cdef inline Rate rate_of(const Stratum* s, Py_ssize_t k) noexcept nogil:
    cdef Rate rate = no_rate()
    cdef double factor = factor_of(s, k)
    if factor != 0:
        rate.top = -s.found[k].top
        rate.first = factor * s.found[k].first
        rate.second = factor * s.found[k].second
    return rate


cdef inline void add_slopes(Stratum* s, Py_ssize_t row, Rate rate) noexcept nogil:
    """The gradient: sum a over the deaths behind the rate."""
    if rate.first != 0:
        s.grad[row] += exp(s.y[row] + rate.top) * rate.first


cdef inline void add_curvatures(Stratum* s, Py_ssize_t row, Rate rate) noexcept nogil:
    """The Hessian: sum a (1 - a) over deaths at which the row is not the largest, so that no a is more than half."""
    cdef double e
    if rate.first != 0:
        e = exp(s.y[row] + rate.top)
        s.hess[row] += e * rate.first - e * rate.second * e


cdef inline void add_both(Stratum* s, Py_ssize_t row, Rate rate) noexcept nogil:
    """The slope and the curvature of the same deaths, from one exponential."""
    cdef double e
    if rate.first != 0:
        e = exp(s.y[row] + rate.top)
        s.grad[row] += e * rate.first
        s.hess[row] += e * rate.first - e * rate.second * e


cdef inline void add_own(Stratum* s, Py_ssize_t k, Py_ssize_t row) noexcept nogil:
    """What a row's own death gives; of a lone one the slope is -(1 - a)."""
    cdef const Deaths* found = &s.found[k]
    cdef double e, a, factor = factor_of(s, k)
    if factor == 0:
        s.grad[row] -= s.upstream_of[k] * s.weight[row]
        return
    e = exp(s.y[row] - found.top)
    a = found.own * e
    if s.count[k] == 1:
        s.grad[row] -= factor * found.spared
    else:
        s.grad[row] += factor * a - s.upstream_of[k] * s.weight[row]
    if s.hess != NULL and found.who != row:
        s.hess[row] += factor * (a - e * found.own_squared * e)


cdef inline Rate collected(const Stratum* s, const Py_ssize_t* start, Py_ssize_t row, Py_ssize_t stop,
                           Py_ssize_t leaves, Rate sum) noexcept nogil:
    """The deaths before `stop` from the row's start on; all of them without entry times."""
    if s.entry == NULL:
        return sum
    return between(s.rates, leaves, start[row], stop)


cdef inline void change_largest(Stratum* s, Py_ssize_t k, Py_ssize_t before, Py_ssize_t leaves,
                                Rate sum) noexcept nogil:
    """The largest of the risk set at death k collects apart; until here it was a row like the others."""
    cdef Py_ssize_t now = s.found[k].who
    if s.entry != NULL and before >= 0:
        s.open_from[before] = k
    if now >= 0:
        add_curvatures(s, now, collected(s, s.open_from, now, k, leaves, sum))


cdef inline void write_slopes(Stratum* s) noexcept nogil:
    """The derivatives of all rows, forwards."""
    cdef Py_ssize_t i = 0, k = 0, row, stop, largest = -1, leaves = leaves_for(s.deaths)
    cdef Rate sum = no_rate()
    if s.entry != NULL:
        for row in range(s.rows):
            s.open_from[row] = s.start[row]
        for row in range(leaves):
            s.rates[leaves + row] = rate_of(s, row) if row < s.deaths else no_rate()
        add_up(s.rates, leaves)
    while i < s.rows:
        stop = i + 1
        if k < s.deaths and s.first[k] == i:
            stop = i + s.count[k]
            if s.hess != NULL:
                if s.found[k].who != largest:
                    change_largest(s, k, largest, leaves, sum)
                    largest = s.found[k].who
                if largest >= 0 and factor_of(s, k) != 0:
                    s.hess[largest] += factor_of(s, k) * s.found[k].largest
        for row in range(i, stop):
            if s.hess == NULL or largest == row:
                add_slopes(s, row, collected(s, s.start, row, k, leaves, sum))
            elif s.entry == NULL:
                add_both(s, row, sum)
            else:
                add_slopes(s, row, collected(s, s.start, row, k, leaves, sum))
                add_curvatures(s, row, collected(s, s.open_from, row, k, leaves, sum))
            if s.event[row]:
                add_own(s, k, row)
        if s.event[i]:
            sum = rates_together(sum, rate_of(s, k))
            k += 1
        i = stop


cdef inline void run_stratum(Stratum* s) noexcept nogil:
    find_deaths(s)
    sum_masses(s)
    sum_deaths(s)
    if s.grad != NULL:
        write_slopes(s)
