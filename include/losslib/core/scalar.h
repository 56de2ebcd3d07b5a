// Storage types: IEEE half precision (binary16) and bfloat16, held as 16 bits and converted to and from
// float.
//
// Arithmetic never happens in these types; blocks are widened on reading and narrowed on writing. The
// conversions are branch-free so that loops over them vectorise without F16C. They round to nearest even,
// overflow to infinity, produce and read subnormals, and keep a NaN a (quiet) NaN with its sign and leading
// payload bits.
#pragma once

#include <cstdint>

#include "losslib/core/select.h"
#include "losslib/core/vecmath.h"

namespace losslib {

// Exact. A half is 1 sign bit, 5 exponent bits with bias 15, 10 mantissa bits.
LOSSLIB_INLINE float float_from_half(std::uint16_t half) {
    const std::uint32_t bits = half;
    const std::uint32_t sign = (bits & 0x8000u) << 16;
    const std::uint32_t magnitude = bits & 0x7fffu;
    // The exponent moves from bias 15 to bias 127; infinity and NaN move by as much again, from 31 to 255.
    const std::uint32_t shifted = (magnitude << 13) + (112u << 23);
    const std::uint32_t normal = select(magnitude >= 0x7c00u, shifted + (112u << 23), shifted);
    // A subnormal is magnitude * 2^-24, the unit in the last place of 0.5.
    const std::uint32_t subnormal = to_bits(from_bits<float>(magnitude + 0x3f000000u) - 0.5f);
    return from_bits<float>(sign | select(magnitude < 0x0400u, subnormal, normal));
}

// Values from 65520 on round to infinity, those up to 2^-25 to zero.
LOSSLIB_INLINE std::uint16_t half_from_float(float x) {
    const std::uint32_t bits = to_bits(x);
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    // Adding just under half a unit, plus the last bit kept, rounds to nearest even; a carry runs into the
    // exponent and from the largest half to infinity, as it should.
    const std::uint32_t normal = (magnitude - (112u << 23) + 0x0fffu + ((magnitude >> 13) & 1u)) >> 13;
    // Below 2^-14 the sum with 0.5 is rounded to multiples of 2^-24 by the processor.
    const std::uint32_t subnormal = to_bits(from_bits<float>(magnitude) + 0.5f) - 0x3f000000u;
    const std::uint32_t finite = select(magnitude < 0x38800000u, subnormal, normal);
    const std::uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x03ffu);
    const std::uint32_t special = select(magnitude > 0x7f800000u, nan, std::uint32_t(0x7c00u));
    return static_cast<std::uint16_t>(sign | select(magnitude >= 0x47800000u, special, finite));
}

// Exact. A bfloat16 is the upper half of a float.
LOSSLIB_INLINE float float_from_bfloat16(std::uint16_t bfloat16) {
    return from_bits<float>(static_cast<std::uint32_t>(bfloat16) << 16);
}

LOSSLIB_INLINE std::uint16_t bfloat16_from_float(float x) {
    const std::uint32_t bits = to_bits(x);
    const std::uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    const std::uint32_t nan = bits | 0x00400000u;  // quiet, or a payload in the lower half alone would become infinity
    return static_cast<std::uint16_t>(select((bits & 0x7fffffffu) > 0x7f800000u, nan, rounded) >> 16);
}

}  // namespace losslib
