// The angle of a vector as a branch-free inline polynomial, in the manner of core/vecmath.h.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// (atan(t)/t - 1)/t^2 as a function of z = t^2 for t <= tan(pi/8) (Remez exchange).
LOSSLIB_INLINE float arc_tangent_tail(float z) {
    return polynomial(z, -0.3333333328f, 0.1999997725f, -0.1428415063f, 0.1107135457f, -0.08624598215f, 0.05047937432f);
}
LOSSLIB_INLINE double arc_tangent_tail(double z) {
    return polynomial(z, -0.3333333333333333016, 0.1999999999999551655, -0.1428571428466568076, 0.1111111101518701872,
                      -0.09090904575306489084, 0.0769218312537689209, -0.06664510525508936599, 0.05858140904866328283,
                      -0.05085407834589484262, 0.03923044478779309537, -0.01917540471110493384);
}

// ULP 1.8/1.6, all finite x and y: the angle of the vector (x, y) in [-pi, pi], as C's atan2; 0 for the zero vector.
// NaN gives NaN.
template <class T> LOSSLIB_INLINE T arc_tangent(T y, T x) {
    const T a = abs(x), b = abs(y);
    const bool steep = b > a;  // then pi/2 minus the angle of the mirrored vector
    const T large = select(steep, b, a), small = select(steep, a, b);
    const bool middle = small > T(0.4142135623730950488) * large;  // then pi/4 plus the angle to the diagonal
    const T numerator = select(middle, small - large, small), denominator = select(middle, small + large, large);
    const T t = numerator / select(denominator == T(0), T(1), denominator);
    const T angle = t + t * (t * t) * arc_tangent_tail(t * t);
    const T eighth = select(middle, T(0.78539816339744830962), T(0)) + angle;
    const T quarter = select(steep, T(1.57079632679489661923) - eighth, eighth);
    const T half = select(x < T(0), T(3.14159265358979323846) - quarter, quarter);
    return with_sign_of(y, half);
}

}  // namespace losslib
