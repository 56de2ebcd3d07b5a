// What the loops in pyx/ ask of a loss, so that they are written once: its jet, whether it takes two inputs or three,
// and which derivatives it has.
#pragma once

#include <type_traits>
#include <utility>

#include "losslib/core/inline.h"
#include "losslib/core/jet.h"

namespace losslib {

// What a kernel reads and what it writes: nothing that is written is reached by another way.
template <class T> using Source = const T* __restrict;
template <class T> using Target = T* __restrict;

template <class Loss, class T, class = void> struct takes_three : std::false_type {};
template <class Loss, class T>
struct takes_three<Loss, T, std::void_t<decltype(std::declval<const Loss&>().at(T(), T(), T()))>> : std::true_type {};

template <class Loss, class T> LOSSLIB_INLINE Jet<T> evaluate(const Loss& loss, T first, T second, T third) {
    if constexpr (takes_three<Loss, T>::value) {
        return loss.at(first, second, third);
    } else {
        return loss.at(first, second);
    }
}

// A loss whose gradient may leave the range of its type although the scaled one (of a mean) does not brings its own
// product, `scaled_grad(input, target, scale)`, with the same bits wherever neither overflows.
template <class Loss, class T, class = void> struct scales_itself : std::false_type {};
template <class Loss, class T>
struct scales_itself<Loss, T, std::void_t<decltype(std::declval<const Loss&>().scaled_grad(T(), T(), T()))>>
    : std::true_type {};

template <class Loss, class T>
LOSSLIB_INLINE T scaled_grad(const Loss& loss, const Jet<T>& jet, T first, T second, T scale) {
    if constexpr (scales_itself<Loss, T>::value) {
        return loss.scaled_grad(first, second, scale);
    } else {
        return jet.grad * scale;
    }
}

template <class Loss> constexpr int inputs_of(const Loss*) { return takes_three<Loss, double>::value ? 3 : 2; }

// Whether the other derivatives follow from those of the first input.
template <class Loss> constexpr bool sees_difference_alone(const Loss*) {
    if constexpr (takes_three<Loss, double>::value) {
        return false;
    } else {
        return std::is_same_v<decltype(std::declval<const Loss&>().at(0.0, 0.0)), JetOfDifference<double>>;
    }
}

// A loss of two predictions says which input is the second: `static constexpr int partner = 2`, or 3 for a variance or
// a scale, which stands behind the target.
template <class Loss, class = void> struct PartnerOf : std::integral_constant<int, 0> {};
template <class Loss> struct PartnerOf<Loss, std::void_t<decltype(Loss::partner)>>
    : std::integral_constant<int, Loss::partner> {};

template <class Loss> constexpr bool has_partner(const Loss*) { return PartnerOf<Loss>::value != 0; }

template <class Loss, class T> LOSSLIB_INLINE T partner_grad(const Loss&, const Jet<T>& jet) {
    return PartnerOf<Loss>::value == 2 ? jet.grad2 : jet.grad3;
}

}  // namespace losslib
