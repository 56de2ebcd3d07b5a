// What OpenMP's runtime leaves to a library that must neither hang nor end a process.
//
// - libgomp keeps a team of sleeping workers for every thread that ever entered a parallel region. A forked child
//   inherits the record of a team and none of its workers, and hangs in its next region: the team is given back before
//   the fork (OpenMP 5.0: omp_pause_resource_all), and the child makes its own. LLVM's and Intel's runtimes reset
//   themselves.
// - Where the system refuses a thread (RLIMIT_NPROC, the pid limit of a container), a runtime ends the process: so many
//   trial threads are made first, and the team at once afterwards. What another process takes within these
//   microseconds is the risk that is left.
// - Workers inherit the signal mask of the thread that makes them: Python's handlers belong to Python's threads.
#pragma once

#include <atomic>

#ifdef _OPENMP
#include <omp.h>
#endif

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#define LOSSLIB_POSIX_THREADS 1
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#endif

// GCC's code may meet LLVM's or Intel's runtime when it runs, which alone have the first of these symbols; libgomp has the
// second from GCC 9 on. Clang's code always meets LLVM's.
#if defined(_OPENMP) && defined(__GNUC__) && !defined(__clang__)
extern "C" void kmp_set_blocktime(int) noexcept __attribute__((weak));
#if __GNUC__ >= 9
extern "C" int omp_pause_resource_all(omp_pause_resource_t) noexcept __attribute__((weak));
#define LOSSLIB_CAN_PAUSE 1
#endif
#endif

namespace losslib {

constexpr int most_threads = 256;

// ---- which runtime -------------------------------------------------------------------------------------------------

// The year and month of the specification that the compiler follows; 0 without OpenMP.
inline int openmp_specification() noexcept {
#ifdef _OPENMP
    return _OPENMP;
#else
    return 0;
#endif
}

inline bool is_llvm_runtime() noexcept {
#if defined(_OPENMP) && defined(__clang__)
    return true;
#elif defined(_OPENMP) && defined(__GNUC__)
    return kmp_set_blocktime != nullptr;
#else
    return false;
#endif
}

// The file that the runtime was loaded from; an empty string where that is unknown.
inline const char* openmp_library() noexcept {
#if defined(_OPENMP) && defined(LOSSLIB_POSIX_THREADS)
    Dl_info found;
    if (dladdr(reinterpret_cast<void*>(&omp_get_max_threads), &found) != 0 && found.dli_fname != nullptr)
        return found.dli_fname;
#endif
    return "";
}

// The caller's own limit, which threadpoolctl and joblib set; 0 without OpenMP.
inline int openmp_limit() noexcept {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 0;
#endif
}

// The limit where somebody set one: OpenMP's own default, the number of processors, limits nothing. 1 without OpenMP.
inline int limit_of_caller() noexcept {
#ifdef _OPENMP
    static const int processors = omp_get_num_procs();
    if (omp_in_parallel()) return 1;
    const int limit = omp_get_max_threads();
    return limit < processors ? limit : most_threads;
#else
    return 1;
#endif
}

// ---- trial threads -------------------------------------------------------------------------------------------------

#ifdef LOSSLIB_POSIX_THREADS

class SignalsBlocked {
public:
    SignalsBlocked() noexcept {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_;
};

struct Trial {
    pthread_t thread;
    pthread_mutex_t* gate;  // held by who tries, so that all trial threads live at the same time
    std::atomic<long> number{0};
};

inline void* enter_trial(void* argument) noexcept {
    Trial& trial = *static_cast<Trial*>(argument);
#if defined(__linux__)
    trial.number.store(syscall(SYS_gettid));
#endif
    pthread_mutex_lock(trial.gate);
    pthread_mutex_unlock(trial.gate);
    return nullptr;
}

// A thread that was joined counts for the limits of the system until its number is gone.
inline void wait_until_gone(const Trial& trial) noexcept {
#if defined(__linux__)
    for (int tries = 0; tries < 10000 && syscall(SYS_tgkill, getpid(), trial.number.load(), 0) == 0; ++tries)
        sched_yield();
#else
    (void)trial;
#endif
}

// How many of `count` threads the system grants at this moment. Call with signals blocked.
inline int try_threads(int count) noexcept {
    static Trial trials[most_threads];  // for the holder of the token in thread_state.h
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&gate);
    int granted = 0;
    while (granted < count && granted < most_threads) {
        Trial& trial = trials[granted];
        trial.gate = &gate;
        if (pthread_create(&trial.thread, nullptr, enter_trial, &trial) != 0) break;
        ++granted;
    }
    pthread_mutex_unlock(&gate);
    for (int k = 0; k < granted; ++k) pthread_join(trials[k].thread, nullptr);
    for (int k = 0; k < granted; ++k) wait_until_gone(trials[k]);
    pthread_mutex_destroy(&gate);
    return granted;
}

#else

struct SignalsBlocked {};
inline int try_threads(int count) noexcept { return count; }

#endif

// ---- teams ---------------------------------------------------------------------------------------------------------

// Have the runtime make the workers of the calling thread; the number of threads that it gives to a region.
inline int make_team(int width) noexcept {
    std::atomic<int> members{0};
#ifdef _OPENMP
#pragma omp parallel num_threads(width)
#else
    (void)width;
#endif
    members.fetch_add(1);
    return members.load();
}

// True where teams belong to threads and can be given back: libgomp from GCC 9 on.
inline bool can_release_teams() noexcept {
#ifdef LOSSLIB_CAN_PAUSE
    return omp_pause_resource_all != nullptr && !is_llvm_runtime();
#else
    return false;
#endif
}

// Give the workers of the calling thread back to the system; false if they stay.
inline bool release_team() noexcept {
#ifdef LOSSLIB_CAN_PAUSE
    return can_release_teams() && !omp_in_parallel() && omp_pause_resource_all(omp_pause_soft) == 0;
#else
    return false;
#endif
}

}  // namespace losslib
