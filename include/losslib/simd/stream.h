// Stores that go past the caches: for outputs so large that they will have left the cache before anybody reads them.
//
// An ordinary store first reads the line that it is about to overwrite; a streaming store does not, which saves a
// quarter of the memory traffic of "two inputs, one output".
#pragma once

#include <cstdint>
#include <cstring>

#include "losslib/core/inline.h"

#if defined(__SSE2__)
#include <immintrin.h>
#define LOSSLIB_HAS_STREAM 1
#endif

namespace losslib {

#if defined(__AVX512F__)
constexpr int stream_bytes = 64;
LOSSLIB_INLINE void stream_vector(char* target, const char* source) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(target), _mm512_loadu_si512(source));
}
#elif defined(__AVX__)
constexpr int stream_bytes = 32;
LOSSLIB_INLINE void stream_vector(char* target, const char* source) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(target),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(source)));
}
#elif defined(LOSSLIB_HAS_STREAM)
constexpr int stream_bytes = 16;
LOSSLIB_INLINE void stream_vector(char* target, const char* source) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(target), _mm_loadu_si128(reinterpret_cast<const __m128i*>(source)));
}
#else
constexpr int stream_bytes = 16;
LOSSLIB_INLINE void stream_vector(char* target, const char* source) { std::memcpy(target, source, stream_bytes); }
#endif

// Streaming stores are weakly ordered: they are made visible before another thread may read the result.
LOSSLIB_INLINE void stream_fence() {
#if defined(LOSSLIB_HAS_STREAM)
    _mm_sfence();
#endif
}

// Ask for the cache line at an address that is read soon; any address will do.
LOSSLIB_INLINE void prefetch(const char* source) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(source);
#else
    (void)source;
#endif
}

// The bytes from this address to the next multiple of a vector.
LOSSLIB_INLINE int bytes_to_alignment(const char* target) {
    return static_cast<int>((stream_bytes - reinterpret_cast<std::uintptr_t>(target) % stream_bytes) % stream_bytes);
}

}  // namespace losslib
