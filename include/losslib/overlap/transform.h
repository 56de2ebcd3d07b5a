// The exact Euclidean distance transform, a line at a time: the lower envelope of parabolas (Felzenszwalb and
// Huttenlocher 2012, Theory of Computing 8, 415-428). Line after line, axis after axis, in time linear in the positions.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

#include "../core/inline.h"

namespace losslib {

// Where the parabolas of a line stand that are lowest somewhere: room for as many as a line has positions.
struct Envelope {
    double* height;
    double* start;  // from where on it is the lowest
    std::ptrdiff_t* site;
};

// line[i] = min_k line[k] + (i - k)^2. Infinite where nothing is finite. The numbers are integers, and places where two
// parabolas meet are quotients of integers: no rounding moves one across an integer, where the distances are read.
LOSSLIB_INLINE void lowest_parabolas(double* line, const Envelope& envelope, std::ptrdiff_t count) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    std::ptrdiff_t last = -1;
    for (std::ptrdiff_t q = 0; q < count; ++q) {
        if (line[q] == inf) continue;
        const double place = static_cast<double>(q), raised = line[q] + place * place;
        double meets = -inf;
        while (last >= 0) {
            const double other = static_cast<double>(envelope.site[last]);
            meets = (raised - (envelope.height[last] + other * other)) / (2 * (place - other));
            if (meets > envelope.start[last]) break;
            meets = -inf;
            --last;
        }
        ++last;
        envelope.site[last] = q;
        envelope.height[last] = line[q];
        envelope.start[last] = meets;
    }
    if (last < 0) return;
    std::ptrdiff_t k = 0;
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        while (k < last && envelope.start[k + 1] < static_cast<double>(i)) ++k;
        const double away = static_cast<double>(i - envelope.site[k]);
        line[i] = envelope.height[k] + away * away;
    }
}

}  // namespace losslib
