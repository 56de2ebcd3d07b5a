// Calls a loss of two or of three inputs in one way, so that the loops in pyx/ are written once.
#pragma once

#include "losslib/core/inline.h"

#include <type_traits>
#include <utility>

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

}  // namespace losslib
