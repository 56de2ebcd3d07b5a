// The process-wide decision "how many threads may this call use", in atomics. The threads are OpenMP's (team.h).
//
// - One parallel call at a time: a second Python thread finds `busy` set and computes serially meanwhile, so that
//   k callers never make k teams work at once.
// - Every thread that calls has a team of its own, which sleeps between calls. The first `kept_teams` threads keep
//   theirs until they end; others give it back after each call, and have one only for a call that is worth making it.
// - A forked child is serial until its number of threads is set; for good, if its parent's team was not given back
//   before the fork.
// - Where the system refuses threads, calls use those there are, and nothing ends the process.
// - The barrier at the end of a loop waits for workers that other processes keep from their core. Two calls in a row that
//   lost more time there than threads can have won make the calls that follow serial for a while.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>

#include "losslib/system/team.h"

namespace losslib {

using Nanoseconds = std::int64_t;

inline Nanoseconds monotonic_time() noexcept {
    using std::chrono::steady_clock;
    return std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

// What the calling thread has computed, without the time it slept or waited for a core; 0 where that is unknown.
inline Nanoseconds time_on_core() noexcept {
#ifdef CLOCK_THREAD_CPUTIME_ID
    timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0) return Nanoseconds{1'000'000'000} * now.tv_sec + now.tv_nsec;
#endif
    return 0;
}

constexpr int kept_teams = 4;
constexpr double worth_a_team = 1e6;  // nanoseconds of serial work from which making and ending a team pays
// Waking a sleeper takes 20 to 50 us on a virtual machine: the work that pays for it, in multiples of the threshold.
constexpr double asleep_factor = 12.0;
// A wait that is worth a thought; how much longer than a wait calls stay serial at first; how long at most. Reading the
// clock of the core takes half a microsecond: too much for shorter calls.
constexpr Nanoseconds long_wait = 100'000;
constexpr double worth_a_clock = 2e5;
constexpr Nanoseconds least_rest = 8;
constexpr Nanoseconds most_rest = 500'000'000;

enum Creatable : int { creatable_unknown = -1, creatable_no = 0, creatable_yes = 1 };

struct ThreadState {
    std::atomic<int> width{1};
    std::atomic<bool> busy{false};
    std::atomic<bool> forked{false};
    std::atomic<bool> stranded{false};  // a forked child whose thread still has the record of its parent's team
    std::atomic<int> creatable{creatable_unknown};
    std::atomic<int> granted{most_threads};  // the width that the system granted when it refused more
    std::atomic<int> kept{0};                // teams that stay
    std::atomic<double> threshold{8000.0};   // nanoseconds of serial work from which threads pay, if they are awake
    std::atomic<Nanoseconds> recent{0};      // a call within this time of another finds its workers soon
    std::atomic<Nanoseconds> last_call{0};   // when threads last ended a call, or one began that might have used them
    std::atomic<int> waits{0};               // calls in a row that waited in vain
    std::atomic<Nanoseconds> rest{0};        // how long calls were serial after the latest of them
    std::atomic<Nanoseconds> rest_ends{0};
};

inline ThreadState& thread_state() {
    static ThreadState state;
    return state;
}

// The team of the calling thread: libgomp ends the workers with their thread.
struct Team {
    int width = 1;  // of its latest region
    bool kept = false;
    bool strands = false;                      // it could not be given back before a fork
    Nanoseconds start = 0, start_on_core = 0;  // of its latest call
    double estimate = 0.0;
    ~Team() {
        if (kept) thread_state().kept.fetch_sub(1);
    }
};

inline Team& own_team() noexcept {
    static thread_local Team team;
    return team;
}

// ---- fork ----------------------------------------------------------------------------------------------------------

inline void prepare_fork() {
    Team& team = own_team();
    const bool released = release_team();  // even if losslib made none: a shared runtime has those of other libraries
    team.strands = team.width > 1 && !released && !is_llvm_runtime();
    if (released) team.width = 1;
}

inline void enter_child() {
    ThreadState& state = thread_state();
    Team& team = own_team();
    state.forked.store(true);
    if (team.strands) state.stranded.store(true);
    state.busy.store(false);
    state.creatable.store(creatable_unknown);
    state.granted.store(most_threads);
    state.kept.store(0);
    team.width = 1;
    team.kept = false;
}

inline int register_fork_guard() {
#ifdef LOSSLIB_POSIX_THREADS
    return pthread_atfork(prepare_fork, nullptr, enter_child);
#else
    return 0;
#endif
}

// ---- calls ---------------------------------------------------------------------------------------------------------

// True if a call of this estimated serial duration gains from threads. After a pause the workers are asleep; waking them
// pays for a long call, or for the next one if calls come quickly. With a threshold of 0, threads are used whatever comes.
inline bool threads_pay(ThreadState& state, double nanoseconds) noexcept {
    const double threshold = state.threshold.load(std::memory_order_relaxed);
    if (nanoseconds < threshold) return false;
    const Nanoseconds now = monotonic_time();
    const Nanoseconds pause = now - state.last_call.exchange(now, std::memory_order_relaxed);
    if (threshold > 0.0 && now < state.rest_ends.load(std::memory_order_relaxed)) return false;
    return nanoseconds >= asleep_factor * threshold || pause < state.recent.load(std::memory_order_relaxed);
}

// Give the calling thread, which holds the token, a team of this width, or of as many as the system grants; return it.
inline int have_team(ThreadState& state, Team& team, int width, double nanoseconds, bool* refused) noexcept {
    if (!team.kept) {
        if (state.kept.load() < kept_teams || !can_release_teams()) {
            team.kept = true;
            state.kept.fetch_add(1);
        } else if (nanoseconds < worth_a_team) {
            return 1;
        }
    }
    const SignalsBlocked guard;
    const int granted = 1 + try_threads(width - 1);
    *refused = granted < width;
    state.creatable.store(*refused ? creatable_no : creatable_yes);
    if (*refused) state.granted.store(granted);
    return granted < 2 ? 1 : make_team(granted);
}

// The number of threads for a call of this estimated serial duration: 1, or more with the process-wide token taken.
// Whoever gets more than 1 calls end_parallel() afterwards. *refused becomes true if the system refused threads.
inline int begin_parallel(double nanoseconds, bool* refused) noexcept {
    ThreadState& state = thread_state();
    int width = state.width.load(std::memory_order_relaxed);
    if (width < 2 || state.forked.load(std::memory_order_relaxed) || !threads_pay(state, nanoseconds)) return 1;
    const int limit = limit_of_caller(), granted = state.granted.load(std::memory_order_relaxed);
    if (limit < width) width = limit;
    if (granted < width) width = granted;
    if (width < 2) return 1;
    bool expected = false;
    if (!state.busy.compare_exchange_strong(expected, true)) return 1;
    Team& team = own_team();
    if (width > team.width) width = have_team(state, team, width, nanoseconds, refused);
    if (width < 2) {
        state.busy.store(false);
        return 1;
    }
    team.width = width;
    team.start = monotonic_time();
    team.start_on_core = nanoseconds >= worth_a_clock ? time_on_core() : 0;
    team.estimate = nanoseconds;
    return width;
}

// Two threads halve the work W, so a call that waits longer than W/2, half of the time it takes, had better been serial.
// The first after a pause may: a virtual processor that was halted takes a millisecond to come.
inline void learn_from_wait(ThreadState& state, const Team& team, Nanoseconds now) noexcept {
    const Nanoseconds duration = now - team.start;
    Nanoseconds waited = 0, rest = 0;
    int waits = 0;
    if (duration >= long_wait) {
        const bool measured = team.start_on_core != 0;
        waited = duration - (measured ? time_on_core() - team.start_on_core : static_cast<Nanoseconds>(team.estimate));
    }
    if (waited >= long_wait && 2 * waited >= duration) waits = state.waits.load(std::memory_order_relaxed) + 1;
    if (waits > 1) {
        rest = 2 * state.rest.load(std::memory_order_relaxed);
        if (rest < least_rest * waited) rest = least_rest * waited;
        if (rest > most_rest) rest = most_rest;
        state.rest_ends.store(now + rest, std::memory_order_relaxed);
    }
    state.waits.store(waits > 1 ? 2 : waits, std::memory_order_relaxed);
    state.rest.store(rest, std::memory_order_relaxed);
}

inline void end_parallel() noexcept {
    ThreadState& state = thread_state();
    Team& team = own_team();
    const Nanoseconds now = monotonic_time();
    state.last_call.store(now, std::memory_order_relaxed);
    learn_from_wait(state, team, now);
    if (!team.kept && release_team()) team.width = 1;
    state.busy.store(false);
}

}  // namespace losslib
