// A pointer whose numbers no other pointer of a function reaches: loops that store through it vectorise without checks.
#pragma once

#if defined(_MSC_VER)
#define LOSSLIB_RESTRICT __restrict
#else
#define LOSSLIB_RESTRICT __restrict__
#endif
