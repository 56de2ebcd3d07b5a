// Many callers at once on the gate of thread_state.h, for ThreadSanitizer (`make test-tsan`): each asks for threads as
// a call of the package does and sums its blocks; widths, limits and the number of workers change meanwhile.
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "losslib/system/thread_state.h"

using namespace losslib;

namespace {

struct Call {
    std::vector<double> partials;  // one a block, written without a lock: each block belongs to one thread
    std::vector<long> scratch;     // one a slot, written without a lock: each slot belongs to one thread at a time
};

void compute(void* context, std::ptrdiff_t block, int slot) {
    Call& call = *static_cast<Call*>(context);
    call.scratch[static_cast<std::size_t>(slot) * 16] += 1;
    double sum = 0.0;
    for (int i = 0; i < 200; ++i) sum += static_cast<double>(block) + i;
    call.partials[static_cast<std::size_t>(block)] = sum;
}

// True if a call of so many blocks came out right.
bool compute_call(std::ptrdiff_t blocks, int& parallel) {
    Call call;
    call.partials.assign(static_cast<std::size_t>(blocks), -1.0);
    bool failed = false;
    const int width = begin_parallel(1e9, &failed);
    call.scratch.assign(static_cast<std::size_t>(width) * 16, 0);
    if (width > 1) {
        ++parallel;
        run_parallel(compute, &call, blocks, width);
        end_parallel();
    } else {
        for (std::ptrdiff_t block = 0; block < blocks; ++block) compute(&call, block, 0);
    }
    long counted = 0;
    for (long count : call.scratch) counted += count;
    for (std::ptrdiff_t block = 0; block < blocks; ++block)
        if (call.partials[static_cast<std::size_t>(block)] != 200.0 * static_cast<double>(block) + 19900.0)
            return false;
    return counted == blocks && !failed;
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 2000;
    thread_state().width.store(4);
    std::atomic<int> wrong{0}, parallel{0};
    std::atomic<bool> stop{false};
    std::thread settings([&] {
        for (int k = 0; !stop.load(); ++k) {
            thread_state().width.store(2 + k % 5);
            thread_state().linger.store(k % 3 == 0 ? 0 : 20000);
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
    });
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller)
        callers.emplace_back([&, caller] {
            int own = 0;
            for (int k = 0; k < rounds; ++k)
                if (!compute_call(1 + (k * 7 + caller) % 40, own)) wrong.fetch_add(1);
            parallel.fetch_add(own);
        });
    for (std::thread& caller : callers) caller.join();
    stop.store(true);
    settings.join();
    std::printf("%d calls, %d with threads, %d workers, %d wrong\n", 4 * rounds, parallel.load(),
                thread_state().pool.load()->workers(), wrong.load());
    return wrong.load() != 0 || parallel.load() == 0;
}
