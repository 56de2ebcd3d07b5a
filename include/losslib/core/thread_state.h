// The process-wide decision "how many threads may this call use", in atomics.
//
// - One parallel call at a time: a second Python thread finds `busy` set and computes serially meanwhile, so that
//   k callers never make k teams of threads at once.
// - Two widths only, serial or the configured one: changing libgomp's team size costs 46 us to 5.7 ms.
// - A forked child stays serial: libgomp waits for ever for the worker threads that fork() did not copy.
// - libgomp ends the process when it cannot create a thread, so creation is tried once before the first region.
#pragma once

#include <atomic>
#include <system_error>
#include <thread>

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define LOSSLIB_HAS_FORK 1
#endif

namespace losslib {

enum Creatable : int { creatable_unknown = -1, creatable_no = 0, creatable_yes = 1 };

struct ThreadState {
    std::atomic<int> width{1};
    std::atomic<bool> busy{false};
    std::atomic<bool> forked{false};
    std::atomic<int> creatable{creatable_unknown};
    std::atomic<double> threshold{8000.0};  // nanoseconds of serial work from which threads pay
};

inline ThreadState& thread_state() {
    static ThreadState state;
    return state;
}

inline void enter_child() {
    thread_state().forked.store(true);
    thread_state().busy.store(false);
}

inline int register_fork_guard() {
#ifdef LOSSLIB_HAS_FORK
    return pthread_atfork(nullptr, nullptr, enter_child);
#else
    return 0;
#endif
}

inline bool openmp_built() {
#ifdef _OPENMP
    return true;
#else
    return false;
#endif
}

// The caller's own OpenMP limit: what threadpoolctl and joblib set.
inline int openmp_limit() {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

inline bool inside_parallel() {
#ifdef _OPENMP
    return omp_in_parallel() != 0;
#else
    return false;
#endif
}

// True if `count` threads can exist beside this one; they are started, joined and forgotten.
inline bool try_threads(int count) noexcept {
    constexpr int most = 256;
    std::thread threads[most];
    int started = 0;
    std::atomic<bool> release{false};
    bool good = true;
    try {
        for (; started < count && started < most; ++started)
            threads[started] = std::thread([&release] {
                while (!release.load()) std::this_thread::yield();
            });
    } catch (const std::system_error&) {
        good = false;
    }
    release.store(true);
    for (int i = 0; i < started; ++i) threads[i].join();
    return good;
}

// The number of threads for a call of this estimated serial duration: 1, or the configured width with the
// process-wide token taken. Whoever gets more than 1 calls end_parallel() afterwards.
inline int begin_parallel(double nanoseconds) noexcept {
    ThreadState& state = thread_state();
    if (nanoseconds < state.threshold.load(std::memory_order_relaxed)) return 1;
    int width = state.width.load(std::memory_order_relaxed);
    if (width < 2 || state.forked.load(std::memory_order_relaxed)) return 1;
    if (inside_parallel()) return 1;
    const int limit = openmp_limit();
    if (limit < width) width = limit;
    if (width < 2) return 1;
    bool expected = false;
    if (!state.busy.compare_exchange_strong(expected, true)) return 1;
    if (state.creatable.load() == creatable_unknown)
        state.creatable.store(try_threads(width - 1) ? creatable_yes : creatable_no);
    if (state.creatable.load() == creatable_no) {
        state.busy.store(false);
        return 1;
    }
    return width;
}

inline void end_parallel() noexcept { thread_state().busy.store(false); }

}  // namespace losslib
