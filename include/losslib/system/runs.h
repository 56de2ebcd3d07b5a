// Which tasks of a call a thread takes at a time: a run of neighbours, so that it reads and writes on where it stopped.
//
// Tasks are shared out in rounds (factoring: Hummel, Schonberg & Flynn 1992): each round gives every thread one run and
// takes half of what is left, until the runs are single tasks. Where the runs begin is a function of the number of tasks
// and of threads, so a loop over runs is an ordinary `prange` with schedule="dynamic".
#pragma once

#include <cstddef>

namespace losslib {

// The tasks in each run of a round that begins with so many left: half of a fair share.
inline std::ptrdiff_t length_of_runs(std::ptrdiff_t left, int width) noexcept {
    const std::ptrdiff_t length = left / (2 * static_cast<std::ptrdiff_t>(width));
    return length > 1 ? length : 1;
}

inline std::ptrdiff_t count_runs(std::ptrdiff_t tasks, int width) noexcept {
    std::ptrdiff_t runs = 0;
    for (;;) {
        const std::ptrdiff_t length = length_of_runs(tasks, width);
        if (length == 1) return runs + tasks;
        tasks -= length * width;
        runs += width;
    }
}

// The first task of a run; the number of tasks for the run after the last.
inline std::ptrdiff_t first_task(std::ptrdiff_t run, std::ptrdiff_t tasks, int width) noexcept {
    std::ptrdiff_t left = tasks;
    for (;;) {
        const std::ptrdiff_t length = length_of_runs(left, width);
        if (length == 1 || run < width) return tasks - left + run * length;
        left -= length * width;
        run -= width;
    }
}

}  // namespace losslib
