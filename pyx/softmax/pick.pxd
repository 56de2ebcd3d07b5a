"""A sample with a class as target: the loss as a function of one log-probability, and what the options make of it."""

from softmax.call cimport Rows

cdef extern from "losslib/softmax/softmax.h" namespace "losslib" nogil:
    cppclass Picked[T]:
        T value
        T slope
    cppclass CrossEntropyPick:
        Picked[T] at[T](T lp)
    cppclass FocalPick:
        Picked[T] at[T](T lp)
    cppclass PolyPick:
        Picked[T] at[T](T lp)
    cppclass GeneralizedPick:
        Picked[T] at[T](T lp)
    cppclass SymmetricPick:
        double alpha
        double beta
        Picked[T] at[T](T lp)
    T product_or_zero[T](T coefficient, T factor)

ctypedef fused AnyPick:
    CrossEntropyPick
    FocalPick
    PolyPick
    GeneralizedPick
    SymmetricPick


cdef inline void picks_of(const AnyPick* parameters, const double* lp, double* value, double* slope,
                          Py_ssize_t n) noexcept nogil:
    """Value and slope of the loss of n samples, given the log-probabilities of their classes."""
    cdef AnyPick loss = parameters[0]
    cdef Picked[double] jet
    cdef Py_ssize_t j
    for j in range(n):
        jet = loss.at(lp[j])
        value[j] = jet.value
        slope[j] = jet.slope


cdef struct Mixture:
    double keep            # share of the target's class, 1 - smoothing
    double rest            # share of every class beside it, smoothing / classes
    double weight_total    # sum of the class weights, 0 without smoothing
    double z_loss


cdef inline Mixture mixture_of(const Rows* rows) noexcept nogil:
    cdef Mixture mixture
    mixture.keep = 1.0 - rows.smoothing
    mixture.rest = rows.smoothing / <double>rows.classes
    mixture.weight_total = rows.weight_total
    mixture.z_loss = rows.z_loss
    return mixture


cdef struct Sample:
    double value
    double softmax_part    # coefficient of p in the gradient
    double target_part     # what is taken off at the target


cdef inline Sample finish(Mixture mixture, double value, double slope, double weight, double largest, double log_sum,
                          double weighted_sum) noexcept nogil:
    """Value and gradient coefficients of a sample: its pick, the weight of its class, and for smoothing
    sum_c w_c (x_c - largest).

    Largest logit and logarithm stay apart: in their sum, which the z-loss alone asks for, a large logit leaves nothing
    of the logarithm. Without smoothing or z-loss their terms are exact zeros, as long as that sum is finite.
    """
    cdef Sample sample
    cdef double lse = largest + log_sum
    sample.value = product_or_zero(weight * mixture.keep, value)
    sample.target_part = -weight * mixture.keep * slope
    sample.value += mixture.rest * (mixture.weight_total * log_sum - weighted_sum) + mixture.z_loss * lse * lse
    sample.softmax_part = (sample.target_part + mixture.rest * mixture.weight_total
                           + 2.0 * mixture.z_loss * lse)
    return sample
