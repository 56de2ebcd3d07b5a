// Scalar mathematics of the losses of two boxes: intersection, union and enclosing box with their derivatives.
//
// Both boxes are taken apart into two sides (x and y). What cancels in the textbook form is written as a sum of terms of
// one sign: with `over` = size - common, how far a side sticks out of the common part,
//     union - intersection = over_x h + common_x over_y       and the same for the other box,
//     enclosing - union    = over_x target_over_y + target_over_x over_y,
// so that nearly equal boxes keep all digits of 1 - IoU, and a translation costs only the rounding of the coordinates.
#pragma once

#include "losslib/core/angle.h"
#include "losslib/core/inline.h"
#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// One side of both boxes, [low, high] against [target_low, target_high].
template <class T> struct Side {
    T size, target_size;
    T common, enclosing;      // of both; common < 0 is the gap between them
    T over, target_over;      // size - common >= 0
    T low_share, high_share;  // the derivative of min(low, target_low) and min(high, target_high) by low and by high
    T shift;                  // from the centre of the target
};

// The smaller of two numbers is differentiated by the smaller; equal numbers share the derivative, as in torch.minimum.
template <class T> LOSSLIB_INLINE T share_of_minimum(T a, T b) {
    return select(a < b, T(1), select(a == b, T(0.5), T(0)));
}

template <class T> LOSSLIB_INLINE Side<T> side_of(T low, T high, T size, T target_low, T target_high, T target_size) {
    Side<T> s;
    s.shift = T(0.5) * ((low - target_low) + (high - target_high));
    const T missing = T(0) * s.shift;  // NaN if an end is: the comparisons below would pass over it
    s.size = size + missing;
    s.target_size = target_size + missing;
    s.common = minimum(high, target_high) - maximum(low, target_low);
    s.enclosing = maximum(high, target_high) - minimum(low, target_low);
    s.over = maximum(high - target_high, T(0)) + maximum(target_low - low, T(0)) + missing;
    s.target_over = maximum(target_high - high, T(0)) + maximum(low - target_low, T(0));
    s.low_share = share_of_minimum(low, target_low);
    s.high_share = share_of_minimum(high, target_high);
    return s;
}

// The derivatives of a loss by what a side is made of, and by its four ends.
template <class T> struct SideSlopes {
    T size = T(0), target_size = T(0), common = T(0), enclosing = T(0), shift = T(0);

    LOSSLIB_INLINE T low(const Side<T>& s) const {
        return T(0.5) * shift - size - (T(1) - s.low_share) * common - s.low_share * enclosing;
    }
    LOSSLIB_INLINE T high(const Side<T>& s) const {
        return T(0.5) * shift + size + s.high_share * common + (T(1) - s.high_share) * enclosing;
    }
    LOSSLIB_INLINE T target_low(const Side<T>& s) const {
        return T(-0.5) * shift - target_size - s.low_share * common - (T(1) - s.low_share) * enclosing;
    }
    LOSSLIB_INLINE T target_high(const Side<T>& s) const {
        return T(-0.5) * shift + target_size + (T(1) - s.high_share) * common + s.high_share * enclosing;
    }
};

template <class T> struct BoxSlopes {
    SideSlopes<T> x, y;
};

// Added to denominators, as in torchvision and the papers' code.
template <class T> constexpr T box_eps = T(1e-7);

template <class T> struct BoxPair {
    Side<T> x, y;
    T intersection, united, apart;  // apart = union - intersection
    T inverse;                      // 1 / (union + eps)
    T iou, complement;              // complement = 1 - IoU
};

template <class T> LOSSLIB_INLINE BoxPair<T> pair_of(const Side<T>& x, const Side<T>& y) {
    BoxPair<T> b;
    b.x = x;
    b.y = y;
    const bool overlapping = (x.common > T(0)) & (y.common > T(0));
    const T width = select(overlapping, x.common, T(0)), height = select(overlapping, y.common, T(0));
    const T own = select(overlapping, x.over * y.size + width * y.over, x.size * y.size);
    const T other =
        select(overlapping, x.target_over * y.target_size + width * y.target_over, x.target_size * y.target_size);
    b.intersection = width * height;
    b.apart = own + other;
    b.united = b.intersection + b.apart;
    b.inverse = T(1) / (b.united + box_eps<T>);
    b.iou = b.intersection * b.inverse;
    b.complement = (b.apart + box_eps<T>)*b.inverse;
    return b;
}

// slopes += factor * d(IoU)
template <class T> LOSSLIB_INLINE void add_iou_slopes(const BoxPair<T>& b, T factor, BoxSlopes<T>& g) {
    const bool overlapping = b.intersection > T(0);
    const T by_intersection = select(overlapping, factor * (T(1) + b.iou) * b.inverse, T(0));
    const T by_area = -factor * b.iou * b.inverse;
    g.x.common += by_intersection * b.y.common;
    g.y.common += by_intersection * b.x.common;
    g.x.size += by_area * b.y.size;
    g.y.size += by_area * b.x.size;
    g.x.target_size += by_area * b.y.target_size;
    g.y.target_size += by_area * b.x.target_size;
}

// The share of the enclosing box that belongs to neither: (C - U)/(C + eps) with C the area of the enclosing box.
template <class T> LOSSLIB_INLINE T empty_share(const BoxPair<T>& b) {
    const T crossed = b.x.over * b.y.target_over + b.x.target_over * b.y.over;
    const T gaps = select(b.intersection > T(0), T(0), b.x.common * b.y.common);
    return (crossed - gaps) / (b.x.enclosing * b.y.enclosing + box_eps<T>);
}

template <class T> LOSSLIB_INLINE void add_empty_share_slopes(const BoxPair<T>& b, T factor, BoxSlopes<T>& g) {
    const T inverse = T(1) / (b.x.enclosing * b.y.enclosing + box_eps<T>);
    const T by_enclosing = factor * (b.united + box_eps<T>)*inverse * inverse;
    const T by_union = -factor * inverse;
    const T by_intersection = select(b.intersection > T(0), -by_union, T(0));
    g.x.enclosing += by_enclosing * b.y.enclosing;
    g.y.enclosing += by_enclosing * b.x.enclosing;
    g.x.common += by_intersection * b.y.common;
    g.y.common += by_intersection * b.x.common;
    g.x.size += by_union * b.y.size;
    g.y.size += by_union * b.x.size;
    g.x.target_size += by_union * b.y.target_size;
    g.y.target_size += by_union * b.x.target_size;
}

// rho^2/(c_w^2 + c_h^2 + eps): the distance of the centres against the diagonal of the enclosing box.
template <class T> LOSSLIB_INLINE T inverse_diagonal(const BoxPair<T>& b) {
    return T(1) / (square(b.x.enclosing) + square(b.y.enclosing) + box_eps<T>);
}
template <class T> LOSSLIB_INLINE T centre_distance(const BoxPair<T>& b) {
    return (square(b.x.shift) + square(b.y.shift)) * inverse_diagonal(b);
}
template <class T> LOSSLIB_INLINE void add_centre_slopes(const BoxPair<T>& b, T factor, BoxSlopes<T>& g) {
    const T twice = T(2) * factor * inverse_diagonal(b);
    const T distance = centre_distance(b);
    g.x.shift += twice * b.x.shift;
    g.y.shift += twice * b.y.shift;
    g.x.enclosing -= twice * distance * b.x.enclosing;
    g.y.enclosing -= twice * distance * b.y.enclosing;
}

// The angle between the diagonals of the two boxes, atan(w'/h') - atan(w/h) from one arc tangent, and 0 for a box
// without sides as atan2(0, 0) is: then its derivative is 0 too, where the quotient would give NaN.
template <class T> struct Diagonal {
    T width, height, scale;  // divided by the larger; scale brings derivatives back

    LOSSLIB_INLINE Diagonal(T w, T h) {
        const T larger = maximum(abs(w), abs(h));
        const bool none = !(larger >= std::numeric_limits<T>::min());
        scale = select(none, T(0), T(1) / select(none, T(1), larger));
        width = w * scale;
        height = select(none, T(1), h * scale);
    }
    LOSSLIB_INLINE T by_width() const { return height * scale / (square(width) + square(height)); }
    LOSSLIB_INLINE T by_height() const { return -width * scale / (square(width) + square(height)); }
};

template <class T> LOSSLIB_INLINE T angle_between(const Diagonal<T>& own, const Diagonal<T>& target) {
    return arc_tangent(target.width * own.height - own.width * target.height,
                       target.height * own.height + own.width * target.width);
}

// x^a and its derivative for x >= 0; where x = 0 the derivative is 0 for a != 1.
template <class T> struct Power {
    T value, slope;
};
template <class T> LOSSLIB_INLINE Power<T> power_of(T x, double a) {
    const T raised = power(x, T(a - 1));
    const bool zero = x == T(0);
    return {select(zero, T(0), x * raised), select(zero, T(0), T(a) * raised)};
}

// How a loss is composed of 1 - IoU and its penalties: as they are, or each raised to a power (alpha-IoU).
struct PlainPower {
    template <class T> static LOSSLIB_INLINE Power<T> overlap(const BoxPair<T>& b, double) {
        return {b.complement, T(-1)};
    }
    template <class T> static LOSSLIB_INLINE Power<T> penalty(T x, double) { return {x, T(1)}; }
};
struct AnyPower {
    // 1 - IoU^a, without the difference.
    template <class T> static LOSSLIB_INLINE Power<T> overlap(const BoxPair<T>& b, double a) {
        // log IoU, from the number of both that has its digits
        const T logarithm = select(b.complement < T(0.5), log1p(-b.complement), log(b.iou));
        const T slope = power_of(b.iou, a).slope;
        return {-expm1(T(a) * logarithm), -slope};
    }
    template <class T> static LOSSLIB_INLINE Power<T> penalty(T x, double a) { return power_of(x, a); }
};

// ---- the losses: value, and derivatives added to `g` -------------------------------------------------------------

template <class Exponent> struct LinearIoU {
    double power;
    LinearIoU(const double* p) : power(p[0]) {}
    template <class T> LOSSLIB_INLINE T at(const BoxPair<T>& b, BoxSlopes<T>& g) const {
        const Power<T> overlap = Exponent::overlap(b, power);
        add_iou_slopes(b, overlap.slope, g);
        return overlap.value;
    }
};

struct SquareIoU {
    SquareIoU(const double*) {}
    template <class T> LOSSLIB_INLINE T at(const BoxPair<T>& b, BoxSlopes<T>& g) const {
        add_iou_slopes(b, T(-2) * b.iou, g);
        return b.complement * (T(1) + b.iou);
    }
};

// -log IoU, held where the IoU falls below eps.
struct LogIoU {
    LogIoU(const double*) {}
    template <class T> LOSSLIB_INLINE T at(const BoxPair<T>& b, BoxSlopes<T>& g) const {
        const bool held = !(b.iou >= box_eps<T>)&(b.iou == b.iou);
        const T iou = select(held, box_eps<T>, b.iou);
        add_iou_slopes(b, select(held, T(0), T(-1) / iou), g);
        return select(b.complement < T(0.5), -log1p(-b.complement), -log(iou));
    }
};

template <class Exponent> struct GeneralizedIoU {
    double power;
    GeneralizedIoU(const double* p) : power(p[0]) {}
    template <class T> LOSSLIB_INLINE T at(const BoxPair<T>& b, BoxSlopes<T>& g) const {
        const Power<T> overlap = Exponent::overlap(b, power), penalty = Exponent::penalty(empty_share(b), power);
        add_iou_slopes(b, overlap.slope, g);
        add_empty_share_slopes(b, penalty.slope, g);
        return overlap.value + penalty.value;
    }
};

template <class Exponent> struct DistanceIoU {
    double power;
    DistanceIoU(const double* p) : power(p[0]) {}
    template <class T> LOSSLIB_INLINE T at(const BoxPair<T>& b, BoxSlopes<T>& g) const {
        const Power<T> overlap = Exponent::overlap(b, power), penalty = Exponent::penalty(centre_distance(b), power);
        add_iou_slopes(b, overlap.slope, g);
        add_centre_slopes(b, penalty.slope, g);
        return overlap.value + penalty.value;
    }
};

// Zheng et al. 2020. The trade-off alpha = v/(1 - IoU + v + eps) is constant in the derivatives, as in the paper.
template <class Exponent> struct CompleteIoU {
    double power;
    CompleteIoU(const double* p) : power(p[0]) {}
    template <class T> LOSSLIB_INLINE T at(const BoxPair<T>& b, BoxSlopes<T>& g) const {
        const Power<T> overlap = Exponent::overlap(b, power), centre = Exponent::penalty(centre_distance(b), power);
        const Diagonal<T> own(b.x.size, b.y.size), target(b.x.target_size, b.y.target_size);
        const T angle = angle_between(own, target);
        const T v = T(0.40528473456935108578) * square(angle);  // 4/pi^2
        const T alpha = v / (b.complement + v + box_eps<T>);
        const Power<T> aspect = Exponent::penalty(alpha * v, power);
        const T by_angle = aspect.slope * alpha * T(2 * 0.40528473456935108578) * angle;
        add_iou_slopes(b, overlap.slope, g);
        add_centre_slopes(b, centre.slope, g);
        g.x.size -= by_angle * own.by_width();
        g.y.size -= by_angle * own.by_height();
        g.x.target_size += by_angle * target.by_width();
        g.y.target_size += by_angle * target.by_height();
        return overlap.value + centre.value + aspect.value;
    }
};

// Zhang et al. 2022: penalties of width and height apart; `focal` weighs boxes by IoU^focal, differentiated too.
struct EfficientIoU {
    double focal;
    EfficientIoU(const double* p) : focal(p[0]) {}
    template <class T> LOSSLIB_INLINE T at(const BoxPair<T>& b, BoxSlopes<T>& g) const {
        BoxSlopes<T> inner;
        add_iou_slopes(b, T(-1), inner);
        add_centre_slopes(b, T(1), inner);
        const T width = side_penalty(b.x, inner.x), height = side_penalty(b.y, inner.y);
        const T value = b.complement + centre_distance(b) + width + height;
        const Power<T> weight = focal == 0 ? Power<T>{T(1), T(0)} : power_of(b.iou, focal);
        add_scaled(inner.x, weight.value, g.x);
        add_scaled(inner.y, weight.value, g.y);
        add_iou_slopes(b, value * weight.slope, g);
        return value * weight.value;
    }
    // (w - w')^2/(c_w^2 + eps)
    template <class T> static LOSSLIB_INLINE T side_penalty(const Side<T>& s, SideSlopes<T>& g) {
        const T inverse = T(1) / (square(s.enclosing) + box_eps<T>), difference = s.size - s.target_size;
        const T value = square(difference) * inverse;
        g.size += T(2) * difference * inverse;
        g.target_size -= T(2) * difference * inverse;
        g.enclosing -= T(2) * value * s.enclosing * inverse;
        return value;
    }
    template <class T> static LOSSLIB_INLINE void add_scaled(const SideSlopes<T>& from, T factor, SideSlopes<T>& to) {
        to.size += factor * from.size;
        to.target_size += factor * from.target_size;
        to.common += factor * from.common;
        to.enclosing += factor * from.enclosing;
        to.shift += factor * from.shift;
    }
};

// Wang et al. 2021: boxes as Gaussians, 1 - exp(-W/constant) with W their Wasserstein distance.
struct NormalizedWasserstein {
    double constant;
    NormalizedWasserstein(const double* p) : constant(p[0]) {}
    template <class T> LOSSLIB_INLINE T at(const BoxPair<T>& b, BoxSlopes<T>& g) const {
        const T width = b.x.size - b.x.target_size, height = b.y.size - b.y.target_size;
        const T squared = square(b.x.shift) + square(b.y.shift) + T(0.25) * (square(width) + square(height));
        const T distance = sqrt(squared + box_eps<T>), inverse = T(1 / constant);
        const T slope = exp(-distance * inverse) * inverse / distance;
        g.x.shift += slope * b.x.shift;
        g.y.shift += slope * b.y.shift;
        g.x.size += T(0.25) * slope * width;
        g.y.size += T(0.25) * slope * height;
        g.x.target_size -= T(0.25) * slope * width;
        g.y.target_size -= T(0.25) * slope * height;
        return -expm1(-distance * inverse);
    }
};

// ---- blocks of boxes ----------------------------------------------------------------------------------------------

// A box as planes of STRIDE numbers: low, high and size of the x side, then of the y side.
constexpr int box_stride = 64;

// Sixteen boxes: the number is known to the compiler, so that no loop has a remainder.
template <int derivatives, class Loss, class T>
LOSSLIB_INLINE void sixteen_boxes(const Loss& loss, const T* __restrict input, const T* __restrict target,
                                  const T* __restrict scale, T* __restrict value, T* __restrict grad,
                                  T* __restrict target_grad) {
    for (int i = 0; i < 16; ++i) {
        const T* own = input + i;
        const T* other = target + i;
        const Side<T> x =
            side_of(own[0], own[box_stride], own[2 * box_stride], other[0], other[box_stride], other[2 * box_stride]);
        const Side<T> y = side_of(own[3 * box_stride], own[4 * box_stride], own[5 * box_stride], other[3 * box_stride],
                                  other[4 * box_stride], other[5 * box_stride]);
        BoxSlopes<T> g;
        value[i] = loss.at(pair_of(x, y), g);
        if constexpr (derivatives > 0) {
            grad[i] = scale[i] * g.x.low(x);
            grad[box_stride + i] = scale[i] * g.x.high(x);
            grad[2 * box_stride + i] = scale[i] * g.y.low(y);
            grad[3 * box_stride + i] = scale[i] * g.y.high(y);
        }
        if constexpr (derivatives > 1) {
            target_grad[i] = scale[i] * g.x.target_low(x);
            target_grad[box_stride + i] = scale[i] * g.x.target_high(x);
            target_grad[2 * box_stride + i] = scale[i] * g.y.target_low(y);
            target_grad[3 * box_stride + i] = scale[i] * g.y.target_high(y);
        }
    }
}

// Values, derivatives by low and high of both sides times scale[i] (planes x low, x high, y low, y high), and with
// `derivatives` = 2 those of the target. The count is a multiple of 16.
template <int derivatives, class Loss, class T>
LOSSLIB_INLINE void box_block(const double* numbers, const T* __restrict input, const T* __restrict target,
                              const T* __restrict scale, T* __restrict value, T* __restrict grad,
                              T* __restrict target_grad, int count) {
    const Loss loss(numbers);
    for (int start = 0; start < count; start += 16) {
        sixteen_boxes<derivatives>(loss, input + start, target + start, scale + start, value + start, grad + start,
                                   target_grad + start);
    }
}

// The same by the number of boxes that are differentiated.
template <class Loss, class T> inline void value_block(const Loss*, const double* numbers, const T* input,
                                                       const T* target, const T* scale, T* value, T* grad,
                                                       T* target_grad, int count) {
    box_block<0, Loss>(numbers, input, target, scale, value, grad, target_grad, count);
}
template <class Loss, class T> inline void input_block(const Loss*, const double* numbers, const T* input,
                                                       const T* target, const T* scale, T* value, T* grad,
                                                       T* target_grad, int count) {
    box_block<1, Loss>(numbers, input, target, scale, value, grad, target_grad, count);
}
template <class Loss, class T> inline void both_block(const Loss*, const double* numbers, const T* input,
                                                      const T* target, const T* scale, T* value, T* grad,
                                                      T* target_grad, int count) {
    box_block<2, Loss>(numbers, input, target, scale, value, grad, target_grad, count);
}

}  // namespace losslib
