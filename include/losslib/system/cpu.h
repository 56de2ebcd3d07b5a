// Which instruction sets this processor and operating system run. Compiled with baseline flags only.
#pragma once

namespace losslib {

// The levels of the x86-64 psABI that kernels are compiled for; everything else has its one baseline.
inline bool runs_v3() {
#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}

inline bool runs_v4() {
#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
    return runs_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

inline const char* architecture() {
#if defined(__x86_64__) || defined(_M_X64)
    return "x86-64";
#elif defined(__aarch64__) || defined(_M_ARM64)
    return "aarch64";
#else
    return "generic";
#endif
}

#define LOSSLIB_TEXT_(x) #x
#define LOSSLIB_TEXT(x) LOSSLIB_TEXT_(x)
inline const char* compiler() {
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#elif defined(_MSC_VER)
    return "msvc " LOSSLIB_TEXT(_MSC_VER);
#else
    return "unknown";
#endif
}

}  // namespace losslib
