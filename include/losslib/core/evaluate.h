// Calls a loss of two or of three inputs in one way, so that the loops in pyx/ are written once.
#pragma once

#include <type_traits>
#include <utility>

#include "losslib/core/inline.h"
#include "losslib/core/jet.h"

namespace losslib {

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

// A loss of two predictions is differentiated by both: by the first and the third input (a variance or a scale stands
// behind the target), or by the first two if the loss says so.
template <class Loss, class = void> struct predicts_first_two : std::false_type {};
template <class Loss> struct predicts_first_two<Loss, std::enable_if_t<Loss::predicts_first_two>> : std::true_type {};

template <class Loss, class T> LOSSLIB_INLINE T partner_grad(const Loss&, const Jet<T>& jet) {
    if constexpr (predicts_first_two<Loss>::value) {
        return jet.grad2;
    } else {
        return jet.grad3;
    }
}

}  // namespace losslib
