// What must be known before OpenMP's runtime is loaded, which reads its settings once. This header needs none of it.
#pragma once

#include <chrono>
#include <cstddef>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <pthread.h>
#endif

namespace losslib {

// True if this process has a library of this name.
inline bool is_loaded(const char* name) noexcept {
#if defined(__unix__) || defined(__APPLE__)
    void* handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (handle != nullptr) dlclose(handle);
    return handle != nullptr;
#else
    (void)name;
    return false;
#endif
}

// Bytes of stack of a new thread: 8 MiB with glibc, 128 KiB with musl. 0 where it is unknown.
inline std::size_t default_stack() noexcept {
    std::size_t size = 0;
#if defined(__unix__) || defined(__APPLE__)
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return 0;
    pthread_attr_getstacksize(&attributes, &size);
    pthread_attr_destroy(&attributes);
#endif
    return size;
}

// How often libgomp's loop of waiting runs in a microsecond: a load and, on x86-64, a pause, which takes from 40 to 140
// cycles by processor.
inline double spins_per_microsecond() noexcept {
    using Clock = std::chrono::steady_clock;
    constexpr int spins = 256;
    volatile int value = 0;
    double best = 1e9;
    for (int repeat = 0; repeat < 3; ++repeat) {
        const auto start = Clock::now();
        for (int k = 0; k < spins && value == 0; ++k) {
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
            __builtin_ia32_pause();
#endif
        }
        const double elapsed = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
        if (elapsed < best) best = elapsed;
    }
    return best > 0.0 ? spins / best : 0.0;
}

}  // namespace losslib
