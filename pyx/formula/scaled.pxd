"""The loops of operations that do something more: multiply their result by one more operand, the last, which may be
the scale of the derivatives, or take the product that they choose.

They are as those of ``loops.pxd``. Half of what a simple operation costs is that it writes a row.
"""

from job cimport LANES
from formula.operations cimport (
    Affine, apply, apply_four, apply_three, apply_two, Choice, Clamp, Extreme, kept, Multiplying, Numbers, OfProducts,
    Ratio, Scalable, Signed,
)

cdef inline void affine(const Affine* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                        Py_ssize_t n) noexcept nogil:
    cdef Affine f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply(f, a[i] * b[0]) * c[0] + d[0]


cdef inline void scaled_vvv(const Scalable* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Scalable f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_two(f, a[i], b[i]) * c[i]


cdef inline void scaled_vsv(const Scalable* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Scalable f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_two(f, a[i], b[0]) * c[i]


cdef inline void scaled_vvs(const Scalable* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Scalable f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_two(f, a[i], b[i]) * c[0]


cdef inline void scaled_vss(const Scalable* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Scalable f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_two(f, a[i], b[0]) * c[0]


cdef inline void scaled_svv(const Scalable* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Scalable f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_two(f, a[0], b[i]) * c[i]


cdef inline void scaled_svs(const Scalable* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                            Py_ssize_t n) noexcept nogil:
    cdef Scalable f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_two(f, a[0], b[i]) * c[0]


cdef inline void scaled_signed_vvs(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                                   Py_ssize_t n) noexcept nogil:
    cdef Signed f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_two(f, a[i], b[i]) * c[0]


cdef inline void scaled_signed_vss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                                   Py_ssize_t n) noexcept nogil:
    cdef Signed f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_two(f, a[i], b[0]) * c[0]


cdef inline void scaled_clamp_vsss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                                   Py_ssize_t n) noexcept nogil:
    cdef Clamp f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[0], c[0]) * d[0]


cdef inline void scaled_multiplying_vvvs(const Multiplying* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                         Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Multiplying f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[i], c[i]) * d[0]


cdef inline void scaled_multiplying_vsvs(const Multiplying* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                         Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Multiplying f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[0], c[i]) * d[0]


cdef inline void scaled_multiplying_vvss(const Multiplying* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                         Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Multiplying f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[i], c[0]) * d[0]


cdef inline void scaled_multiplying_vsss(const Multiplying* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                         Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Multiplying f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_three(f, a[i], b[0], c[0]) * d[0]


cdef inline void scaled_of_products_vvvvs(const OfProducts* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                          Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef OfProducts f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[i], d[i]) * e[0]


cdef inline void scaled_of_products_vvvss(const OfProducts* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                          Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef OfProducts f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[i], d[0]) * e[0]


cdef inline void scaled_of_products_vsvvs(const OfProducts* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                          Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef OfProducts f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i], d[i]) * e[0]


cdef inline void scaled_of_products_vsvss(const OfProducts* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                          Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef OfProducts f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i], d[0]) * e[0]


cdef inline void scaled_ratio_vvsss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c, Numbers d, Numbers e,
                                    Py_ssize_t n) noexcept nogil:
    cdef Ratio f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[0], d[0]) * e[0]


cdef inline void scaled_extreme_vvvvs(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                      Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[i], d[i]) * e[0]


cdef inline void scaled_extreme_vvvss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                      Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[i], d[0]) * e[0]


cdef inline void scaled_extreme_vsvss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                      Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i], d[0]) * e[0]


cdef inline void scaled_extreme_vssvs(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                      Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[0], d[i]) * e[0]


cdef inline void scaled_extreme_vvsvs(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                      Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[0], d[i]) * e[0]


cdef inline void scaled_extreme_vssss(const void* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                      Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Extreme f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[0], d[0]) * e[0]


cdef inline void scaled_choice_vvvvs(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                     Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[i], c[i], d[i]) * e[0]


cdef inline void scaled_choice_vsvvs(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                     Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i], d[i]) * e[0]


cdef inline void scaled_choice_vsvss(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                     Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i], d[0]) * e[0]


cdef inline void scaled_choice_vssvs(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                     Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[0], d[i]) * e[0]


cdef inline void scaled_choice_vssss(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                     Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[0], d[0]) * e[0]


cdef inline void choice_product_vsvvs(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                      Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i] * d[i], e[0])


cdef inline void choice_product_vsvss(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                      Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = apply_four(f, a[i], b[0], c[i] * d[0], e[0])


cdef inline void kept_product_vsvvs(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                    Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = kept(f, a[i], b[0], c[i] * d[i] * e[0])


cdef inline void kept_product_vsvss(const Choice* tag, Numbers out, Numbers a, Numbers b, Numbers c,
                                    Numbers d, Numbers e, Py_ssize_t n) noexcept nogil:
    cdef Choice f
    cdef Py_ssize_t i
    n &= -LANES
    for i in range(n):
        out[i] = kept(f, a[i], b[0], c[i] * d[0] * e[0])
