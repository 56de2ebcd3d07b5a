// The process-wide decision "how many threads may this call use", in atomics.
//
// - One parallel call at a time: a second Python thread finds `busy` set and computes serially meanwhile, so that
//   k callers never make k teams of threads at once.
// - A forked child has none of the threads of its parent: it forgets the pool and stays serial until its number of
//   threads is set.
// - Where no worker can be created (RLIMIT_NPROC, the pid limit of a container) calls use what there is, and nothing
//   ends the process.
#pragma once

#include <atomic>
#include <new>

#include "losslib/system/thread_pool.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace losslib {

enum Creatable : int { creatable_unknown = -1, creatable_no = 0, creatable_yes = 1 };

struct ThreadState {
    std::atomic<int> width{1};
    std::atomic<bool> busy{false};
    std::atomic<bool> forked{false};
    std::atomic<int> creatable{creatable_unknown};
    std::atomic<double> threshold{8000.0};  // nanoseconds of serial work from which threads pay, if they are awake
    std::atomic<Nanoseconds> linger{0};     // how long workers stay awake after a call
    std::atomic<Nanoseconds> last_call{0};  // when the latest call began that might have used threads
    std::atomic<ThreadPool*> pool{nullptr};
};

// Waking a sleeper takes 20 to 50 us on a virtual machine: the work that pays for it, in multiples of the threshold.
constexpr double asleep_factor = 12.0;

inline ThreadState& thread_state() {
    static ThreadState state;
    return state;
}

inline void enter_child() {
    ThreadState& state = thread_state();
    state.forked.store(true);
    state.busy.store(false);
    state.creatable.store(creatable_unknown);
    state.pool.store(nullptr);  // its threads are the parent's, and its locks may be held for ever
}

inline int register_fork_guard() {
#ifdef LOSSLIB_POSIX_THREADS
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

// The caller's own OpenMP limit, which threadpoolctl and joblib set; 0 without OpenMP.
inline int openmp_limit() {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 0;
#endif
}

// The limit where somebody set one. OpenMP's own default, the number of processors, limits nothing.
inline int limit_of_caller() {
#ifdef _OPENMP
    static const int processors = omp_get_num_procs();
    if (omp_in_parallel()) return 1;
    const int limit = omp_get_max_threads();
    return limit < processors ? limit : most_threads;
#else
    return most_threads;
#endif
}

// True if a call of this estimated serial duration gains from threads. After a pause the workers are asleep; waking them
// pays for a long call, or for the next one if calls come quickly.
inline bool threads_pay(ThreadState& state, double nanoseconds) noexcept {
    const double threshold = state.threshold.load(std::memory_order_relaxed);
    if (nanoseconds < threshold) return false;
    const Nanoseconds now = monotonic_time();
    const Nanoseconds pause = now - state.last_call.exchange(now, std::memory_order_relaxed);
    return nanoseconds >= asleep_factor * threshold || pause < state.linger.load(std::memory_order_relaxed);
}

// The number of threads for a call of this estimated serial duration: 1, or more with the process-wide token taken.
// Whoever gets more than 1 calls end_parallel() afterwards. *failed becomes true if workers could not be created.
inline int begin_parallel(double nanoseconds, bool* failed) noexcept {
    ThreadState& state = thread_state();
    int width = state.width.load(std::memory_order_relaxed);
    if (width < 2 || state.forked.load(std::memory_order_relaxed) || !threads_pay(state, nanoseconds)) return 1;
    const int limit = limit_of_caller();
    if (limit < width) width = limit;
    if (width < 2) return 1;
    bool expected = false;
    if (!state.busy.compare_exchange_strong(expected, true)) return 1;
    ThreadPool* pool = state.pool.load();
    if (pool == nullptr) {
        pool = new (std::nothrow) ThreadPool;
        state.pool.store(pool);
    }
    int workers = pool == nullptr ? 0 : pool->workers();
    if (workers < width - 1 && state.creatable.load() != creatable_no) {
        if (pool != nullptr) workers = pool->grow(width - 1);
        *failed = workers < width - 1;
        state.creatable.store(*failed ? creatable_no : creatable_yes);
    }
    if (workers == 0) {
        state.busy.store(false);
        return 1;
    }
    return workers < width - 1 ? workers + 1 : width;
}

// Between begin_parallel() and end_parallel(): function(context, block, slot) for every block, slot < width.
inline void run_parallel(BlockFunction function, void* context, std::ptrdiff_t blocks, int width) noexcept {
    ThreadState& state = thread_state();
    state.pool.load()->run(function, context, blocks, width, state.linger.load(std::memory_order_relaxed));
}

inline void end_parallel() noexcept { thread_state().busy.store(false); }

}  // namespace losslib
