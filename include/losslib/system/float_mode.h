// How this thread treats subnormal numbers and rounding. A worker takes over the caller's mode, so that a block gives
// the same bits whoever computes it: a caller may have switched subnormals off (torch.set_flush_denormal).
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace losslib {

#if defined(__x86_64__) || defined(_M_X64)

using FloatMode = unsigned int;
inline FloatMode get_float_mode() noexcept { return _mm_getcsr() & ~0x3fu; }  // without the flags of past operations
inline void set_float_mode(FloatMode mode) noexcept {
    if (get_float_mode() != mode) _mm_setcsr(mode);
}

#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))

using FloatMode = std::uint64_t;
inline FloatMode get_float_mode() noexcept {
    FloatMode mode;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
inline void set_float_mode(FloatMode mode) noexcept {
    if (get_float_mode() != mode) __asm__ __volatile__("msr fpcr, %0" ::"r"(mode));
}

#else

struct FloatMode {};
inline FloatMode get_float_mode() noexcept { return {}; }
inline void set_float_mode(FloatMode) noexcept {}

#endif

}  // namespace losslib
