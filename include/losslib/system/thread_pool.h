// Worker threads that share the blocks of one call.
//
// Why not an OpenMP team: its end barrier waits for every member, so a worker whose core is busy with another process
// stalls a call in which nothing is left to do. Here a call waits for blocks, not for workers: a worker that is not
// scheduled holds no block. The measurements are in docs/develop/threads.rst.
//
// - `open_` is what is left of the present call: the number of blocks not yet taken and the number of threads that may
//   take them, in one atomic word. Taking blocks subtracts from it. A worker that comes late finds none, or those of a
//   later call, which are as good.
// - A thread takes a run of neighbouring blocks, which become fewer as the call nears its end (guided self-scheduling:
//   Polychronopoulos & Kuck 1987): it reads and writes on where it stopped, and rarely waits for the atomic words.
// - A worker without work spins for a moment, offering its core to others, and then sleeps. Whoever takes a block
//   first wakes one sleeper: a call of few blocks wakes few, and the time to wake many is shared.
// - One call at a time: `run` and `grow` are for the holder of the token in thread_state.h.
// - A pool is never destroyed: at the end of the process its workers are asleep in it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>

#include "losslib/system/float_mode.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#define LOSSLIB_POSIX_THREADS 1
#endif

namespace losslib {

// One block of a call: context, number of the block, slot of the thread (0 <= slot < width; 0 is the caller).
using BlockFunction = void (*)(void*, std::ptrdiff_t, int);

constexpr int most_threads = 256;
constexpr std::size_t cache_line = 64;

using Nanoseconds = std::int64_t;
constexpr Nanoseconds short_spin = 50'000;  // without a yield; about what waking a sleeper takes

inline Nanoseconds monotonic_time() noexcept {
    using std::chrono::steady_clock;
    return std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

inline void pause_processor() noexcept {
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    __builtin_ia32_pause();
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
    __asm__ __volatile__("isb");
#else
    std::this_thread::yield();
#endif
}

// Wait awake until `ready()` or until the time is over; say which. After short_spin the core is offered to others.
template <class Ready> inline bool spin(Ready ready, Nanoseconds duration) noexcept {
    if (ready()) return true;
    if (duration <= 0) return false;
    const Nanoseconds start = monotonic_time();
    for (;;) {
        for (int i = 0; i < 16; ++i) {
            pause_processor();
            if (ready()) return true;
        }
        const Nanoseconds elapsed = monotonic_time() - start;
        if (elapsed >= duration) return false;
        if (elapsed >= short_spin) std::this_thread::yield();
    }
}

// A place for one thread to sleep in. The sleeper announces itself and then looks for work, the waker publishes work and
// then looks for a sleeper, both sequentially consistent: no wake-up is lost.
class Sleeper {
public:
    template <class Ready> void sleep(Ready ready) noexcept {
        std::unique_lock<std::mutex> lock(mutex_);
        asleep_.store(true);
        while (!ready()) condition_.wait(lock);
        asleep_.store(false);
    }

    bool wake() noexcept {
        if (!asleep_.load()) return false;
        { std::lock_guard<std::mutex> lock(mutex_); }
        condition_.notify_one();
        return true;
    }

private:
    std::atomic<bool> asleep_{false};
    std::mutex mutex_;
    std::condition_variable condition_;
};

class ThreadPool {
public:
    int workers() const noexcept { return workers_; }

    // Have `count` workers, or as many as the system grants; return how many there are.
    int grow(int count) noexcept {
        while (workers_ < count && workers_ < most_threads - 1 && start(workers_ + 1)) ++workers_;
        return workers_;
    }

    // Call function(context, block, slot) for every block, in the calling thread and the workers 1 … width - 1. Workers
    // stay awake for `linger` nanoseconds afterwards.
    void run(BlockFunction function, void* context, std::ptrdiff_t blocks, int width, Nanoseconds linger) noexcept {
        if (blocks <= 0) return;
        function_ = function;
        context_ = context;
        blocks_ = blocks;
        float_mode_ = get_float_mode();
        linger_.store(linger, std::memory_order_relaxed);
        unfinished_.store(blocks, std::memory_order_relaxed);
        next_sleeper_.store(1, std::memory_order_relaxed);
        open_.store(pack(width, blocks));
        take_blocks(0);
        // The last blocks of the others take a moment; a worker that was descheduled within one takes longer, and gets
        // this core sooner when the caller sleeps.
        const auto finished = [this] { return unfinished_.load() == 0; };
        if (!spin(finished, linger < short_spin ? linger : short_spin)) caller_.sleep(finished);
    }

private:
    static constexpr int count_bits = 48;

    static std::uint64_t pack(int width, std::ptrdiff_t blocks) noexcept {
        return static_cast<std::uint64_t>(width) << count_bits | static_cast<std::uint64_t>(blocks);
    }
    static std::ptrdiff_t blocks_in(std::uint64_t word) noexcept {
        return static_cast<std::ptrdiff_t>(word & ((std::uint64_t{1} << count_bits) - 1));
    }
    static int width_in(std::uint64_t word) noexcept { return static_cast<int>(word >> count_bits); }
    // Half of a fair share: long runs of neighbours at first, single blocks at the end.
    static std::ptrdiff_t run_of(std::ptrdiff_t left, int width) noexcept {
        const std::ptrdiff_t run = left / (2 * width);
        return run > 1 ? run : 1;
    }
    static bool admits(std::uint64_t word, int slot) noexcept { return blocks_in(word) > 0 && slot < width_in(word); }

    void take_blocks(int slot) noexcept {
        std::uint64_t word = open_.load();
        while (admits(word, slot)) {
            const std::ptrdiff_t left = blocks_in(word), run = run_of(left, width_in(word));
            if (!open_.compare_exchange_weak(word, word - static_cast<std::uint64_t>(run))) continue;
            // The call cannot end before these blocks have: until then its fields stand still.
            if (left > run) wake_one(width_in(word));
            if (slot != 0) set_float_mode(float_mode_);
            const std::ptrdiff_t first = blocks_ - left;
            for (std::ptrdiff_t block = first; block < first + run; ++block) function_(context_, block, slot);
            if (unfinished_.fetch_sub(run) == run && slot != 0) caller_.wake();
            word = open_.load();
        }
    }

    void wake_one(int width) noexcept {
        while (next_sleeper_.load(std::memory_order_relaxed) < width) {
            const int slot = next_sleeper_.fetch_add(1, std::memory_order_relaxed);
            if (slot >= width || sleepers_[slot].wake()) return;
        }
    }

    void work(int slot) noexcept {
        const auto wanted = [this, slot] { return admits(open_.load(), slot); };
        for (;;) {
            if (!spin(wanted, linger_.load(std::memory_order_relaxed))) sleepers_[slot].sleep(wanted);
            take_blocks(slot);
        }
    }

    bool start(int slot) noexcept;

    alignas(cache_line) std::atomic<std::uint64_t> open_{0};
    alignas(cache_line) std::atomic<std::ptrdiff_t> unfinished_{0};
    alignas(cache_line) std::atomic<int> next_sleeper_{0};
    std::atomic<Nanoseconds> linger_{0};
    // Of the present call: written before `open_`, read by whoever has taken a block.
    BlockFunction function_ = nullptr;
    void* context_ = nullptr;
    std::ptrdiff_t blocks_ = 0;
    FloatMode float_mode_{};
    int workers_ = 0;
    Sleeper caller_;
    Sleeper sleepers_[most_threads];

#ifdef LOSSLIB_POSIX_THREADS
    struct Worker {
        ThreadPool* pool;
        int slot;
    };
    Worker starts_[most_threads];

    static void* enter(void* argument) noexcept {
        const Worker& worker = *static_cast<const Worker*>(argument);
#if defined(__linux__)
        pthread_setname_np(pthread_self(), "losslib");
#endif
        worker.pool->work(worker.slot);
        return nullptr;
    }
#endif
};

#ifdef LOSSLIB_POSIX_THREADS

// A detached thread that no signal interrupts (Python's handlers belong to its own threads), with room for the blocks'
// buffers where the platform's default is small (musl: 128 KiB).
inline bool ThreadPool::start(int slot) noexcept {
    constexpr std::size_t least_stack = std::size_t{2} << 20;
    starts_[slot] = {this, slot};
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    std::size_t stack = 0;
    pthread_attr_getstacksize(&attributes, &stack);
    if (stack < least_stack) pthread_attr_setstacksize(&attributes, least_stack);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    const int failed = pthread_create(&thread, &attributes, enter, &starts_[slot]);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    return failed == 0;
}

#else

inline bool ThreadPool::start(int slot) noexcept {
    try {
        std::thread([this, slot] { work(slot); }).detach();
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

#endif

}  // namespace losslib
