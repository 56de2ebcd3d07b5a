// Inlining that does not depend on the size of the file: every kernel of a geometry is compiled in one translation
// unit, and GCC stops inlining when a unit has grown by its limit. A call left in a loop is a loop not vectorised.
#pragma once

#if defined(_MSC_VER) && !defined(__clang__)
#define LOSSLIB_INLINE __forceinline
#else
#define LOSSLIB_INLINE inline __attribute__((always_inline))
#endif

// A condition that hardly ever holds: what depends on it need not be inlined, but is compiled for speed all the same,
// since code for size may round in another way.
#if defined(__has_builtin)
#if __has_builtin(__builtin_expect_with_probability)
#define LOSSLIB_RARELY(condition) __builtin_expect_with_probability(!!(condition), 0, 0.99)
#endif
#endif
#if !defined(LOSSLIB_RARELY)
#define LOSSLIB_RARELY(condition) (condition)
#endif
