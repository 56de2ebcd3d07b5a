// Inlining that does not depend on the size of the file: every kernel of a geometry is compiled in one translation
// unit, and GCC stops inlining when a unit has grown by its limit. A call left in a loop is a loop not vectorised.
#pragma once

#if defined(_MSC_VER) && !defined(__clang__)
#define LOSSLIB_INLINE __forceinline
#else
#define LOSSLIB_INLINE inline __attribute__((always_inline))
#endif
