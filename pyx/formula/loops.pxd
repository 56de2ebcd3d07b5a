"""One operation on rows of n numbers, n a multiple of LANES.

All loops have one signature; what a loop has no use for is some row. A number among the operands is a row of one.
"""

from job cimport LANES
from formula.operations cimport (
    apply, apply_four, apply_three, apply_two, Binary, Choice, Choose, Clamp, Extreme, far_off, Floats, is_far_off,
    log_cosh, LogCosh, Logistic, logistic, Multiplying, Numbers, OfProducts, Product, ProductAdd, Ratio,
    Trigonometric, Unary,
)

cdef inline void unary(const Unary* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                       Py_ssize_t n) noexcept nogil:
    cdef Unary f
    cdef Py_ssize_t i
    n &= -LANES     # so that the compiler knows it, and writes no loop for a rest
    for i in range(n):
        out[i] = apply(f, a[i])


cdef inline void trigonometric(const Trigonometric* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                               Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Trigonometric f
    cdef Py_ssize_t i
    cdef int far = 0
    n &= -LANES
    for i in range(n):
        out[i] = apply(f, a[i])
    for i in range(n):
        far |= is_far_off(a[i])
    if far:
        for i in range(n):
            if is_far_off(a[i]):
                out[i] = far_off(f, a[i])


cdef inline void binary(const Binary* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                        Py_ssize_t n) noexcept nogil:
    cdef Binary f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_two(f, a[i], b[i])


cdef inline void binary_vs(const Binary* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                           Py_ssize_t n) noexcept nogil:
    cdef Binary f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_two(f, a[i], b[0])


cdef inline void binary_sv(const Binary* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                           Py_ssize_t n) noexcept nogil:
    cdef Binary f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_two(f, a[0], b[i])


cdef inline void multiplying(const Multiplying* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                             Py_ssize_t n) noexcept nogil:
    cdef Multiplying f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[i], c[i])


cdef inline void multiplying_vsv(const Multiplying* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                 Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Multiplying f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[0], c[i])


cdef inline void multiplying_vvs(const Multiplying* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                 Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Multiplying f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[i], c[0])


cdef inline void multiplying_vss(const Multiplying* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                 Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Multiplying f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[0], c[0])


cdef inline void choose(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                        Py_ssize_t n) noexcept nogil:
    cdef Choose f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[i], c[i])


cdef inline void choose_vsv(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Choose f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[0], c[i])


cdef inline void choose_vvs(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Choose f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[i], c[0])


cdef inline void choose_vss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Choose f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[0], c[0])


cdef inline void product(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                         Py_ssize_t n) noexcept nogil:
    cdef Product f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[i], c[i])


cdef inline void product_vvs(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                             Py_ssize_t n) noexcept nogil:
    cdef Product f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[i], c[0])


cdef inline void product_vss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                             Py_ssize_t n) noexcept nogil:
    cdef Product f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[0], c[0])


cdef inline void clamp_vss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                           Py_ssize_t n) noexcept nogil:
    cdef Clamp f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[0], c[0])


cdef inline void of_products(const OfProducts* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                             Py_ssize_t n) noexcept nogil:
    cdef OfProducts f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[i], d[i])


cdef inline void of_products_vvvs(const OfProducts* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                  Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef OfProducts f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[i], d[0])


cdef inline void of_products_vsvv(const OfProducts* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                  Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef OfProducts f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i], d[i])


cdef inline void of_products_vsvs(const OfProducts* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                  Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef OfProducts f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i], d[0])


cdef inline void product_add_vvss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                                  Py_ssize_t n) noexcept nogil:
    cdef ProductAdd f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[0], d[0])


cdef inline void ratio_vvss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Ratio f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[0], d[0])


cdef inline void ratio_vvsv(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Ratio f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[0], d[i])


cdef inline void ratio_svss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Ratio f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[0], b[i], c[0], d[0])


cdef inline void extreme(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                         Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[i], d[i])


cdef inline void extreme_vvvs(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                              Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[i], d[0])


cdef inline void extreme_vsvs(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                              Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i], d[0])


cdef inline void extreme_vssv(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                              Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[0], d[i])


cdef inline void extreme_vvsv(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                              Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[0], d[i])


cdef inline void extreme_vsss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                              Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[0], d[0])


cdef inline void choice(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                        Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[i], d[i])


cdef inline void choice_vsvv(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                             Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i], d[i])


cdef inline void choice_vsvs(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                             Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i], d[0])


cdef inline void choice_vssv(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                             Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[0], d[i])


cdef inline void choice_vsss(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                             Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[0], d[0])


cdef inline void product_ss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = a[0] * b[0]


cdef inline void fill(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                      Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = a[0]


cdef inline void logistic_of(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                             Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef Logistic[float] both
    cdef Logistic[double] both64
    n &= -LANES
    if Numbers is Floats:
        for i in range(n):
            both = logistic(d[i])
            out[i] = both.softplus
            a[i] = both.softplus_neg
            b[i] = both.sigma
            c[i] = both.sigma_neg
    else:
        for i in range(n):
            both64 = logistic(d[i])
            out[i] = both64.softplus
            a[i] = both64.softplus_neg
            b[i] = both64.sigma
            c[i] = both64.sigma_neg


cdef inline void sigmoids_of(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                             Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef Logistic[float] both
    cdef Logistic[double] both64
    n &= -LANES
    if Numbers is Floats:
        for i in range(n):
            both = logistic(b[i])
            out[i] = both.sigma
            a[i] = both.sigma_neg
    else:
        for i in range(n):
            both64 = logistic(b[i])
            out[i] = both64.sigma
            a[i] = both64.sigma_neg


cdef inline void log_cosh_tanh_of(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                                  Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef LogCosh[float] pair
    cdef LogCosh[double] pair64
    n &= -LANES
    if Numbers is Floats:
        for i in range(n):
            pair = log_cosh(b[i])
            out[i] = pair.value
            a[i] = pair.tanh
    else:
        for i in range(n):
            pair64 = log_cosh(b[i])
            out[i] = pair64.value
            a[i] = pair64.tanh
