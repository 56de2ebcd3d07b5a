"""The ratios of a table of counts, and what is made of them: logarithm, power, log cosh."""

cdef extern from "losslib/overlap/ratios.h" namespace "losslib" nogil:
    cppclass Counts:
        double common
        double false_positive
        double false_negative
        double true_negative
        double positions
    cppclass RatioJet:
        double value
        double by_common
        double by_false_positive
        double by_false_negative
        double by_true_negative
    cppclass DiceRatio:
        DiceRatio(const double*)
        RatioJet at(const Counts& n)
    cppclass JaccardRatio:
        JaccardRatio(const double*)
        RatioJet at(const Counts& n)
    cppclass TverskyRatio:
        TverskyRatio(const double*)
        RatioJet at(const Counts& n)
    cppclass MatthewsRatio:
        MatthewsRatio(const double*)
        RatioJet at(const Counts& n)
    cppclass MeanRatio:
        MeanRatio(const double*)
        RatioJet at(const Counts& n)
    RatioJet logarithm_of(const RatioJet& wrong)
    RatioJet power_of_ratio(const RatioJet& wrong, double gamma)
    RatioJet log_cosh_of(const RatioJet& wrong)

ctypedef fused Ratio:
    DiceRatio
    JaccardRatio
    TverskyRatio
    MatthewsRatio
    MeanRatio


cdef inline void ratio_rows(const Ratio* kind, const double* numbers, const double* table, double* jets,
                            Py_ssize_t count) noexcept nogil:
    """jets[i] = value and derivatives by common, false positive and false negative of the counts table[i].

    The true negatives are what is left of the positions, which are table[i][3]: their derivative is taken off the
    others.
    numbers: logarithm, gamma, log-cosh, then those of the ratio.
    """
    cdef Ratio* ratio = new Ratio(numbers + 3)
    cdef Counts n
    cdef RatioJet jet
    cdef Py_ssize_t i
    for i in range(count):
        n.common = table[4 * i]
        n.false_positive = table[4 * i + 1]
        n.false_negative = table[4 * i + 2]
        n.positions = table[4 * i + 3]
        n.true_negative = max(n.positions - n.common - n.false_positive - n.false_negative, 0.0)
        jet = ratio.at(n)
        if numbers[0] != 0.0:
            jet = logarithm_of(jet)
        jet = power_of_ratio(jet, numbers[1])
        if numbers[2] != 0.0:
            jet = log_cosh_of(jet)
        jets[4 * i] = jet.value
        jets[4 * i + 1] = jet.by_common - jet.by_true_negative
        jets[4 * i + 2] = jet.by_false_positive - jet.by_true_negative
        jets[4 * i + 3] = jet.by_false_negative - jet.by_true_negative
    del ratio
