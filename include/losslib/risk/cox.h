// Sums over risk sets and over deaths that neither overflow nor cancel.
//
// A risk set is kept as its largest term, exp(top), and the sum of the others divided by it: the share of the largest,
// 1/(1 + rest), and what is left to 1, rest/(1 + rest), are both known to full precision. Only the largest term of a
// risk set can have more than half of it, so that for every other one 1 - share does not cancel.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

namespace losslib {

// sum of exp over the members: exp(top) * (1 + rest), the first of them being member `who`; nobody: -1.
struct Mass {
    double top, rest;
    std::ptrdiff_t who;
};

inline Mass no_mass() { return {-std::numeric_limits<double>::infinity(), 0.0, -1}; }

// One member; one of mass exp(-inf) is nobody.
inline Mass mass_of(double y, std::ptrdiff_t who) {
    if (y == -std::numeric_limits<double>::infinity()) return no_mass();
    return {y, 0.0, who};
}

inline Mass together(const Mass& a, const Mass& b) {
    if (a.who < 0) return b;
    if (b.who < 0) return a;
    if (a.top >= b.top) return {a.top, a.rest + std::exp(b.top - a.top) * (1.0 + b.rest), a.who};
    return {b.top, b.rest + std::exp(a.top - b.top) * (1.0 + a.rest), b.who};
}

// Sums over deaths of w/S and w/S^2, divided by exp(top) and exp(2 top); top is -log of the smallest scale of S.
struct Rate {
    double top, first, second;
};

inline Rate no_rate() { return {-std::numeric_limits<double>::infinity(), 0.0, 0.0}; }

inline Rate together(const Rate& a, const Rate& b) {
    if (a.top == -std::numeric_limits<double>::infinity()) return b;
    if (b.top == -std::numeric_limits<double>::infinity()) return a;
    const bool larger = a.top >= b.top;
    const Rate& high = larger ? a : b;
    const Rate& low = larger ? b : a;
    const double factor = std::exp(low.top - high.top);
    return {high.top, high.first + factor * low.first, high.second + factor * factor * low.second};
}

// What the deaths at one time give: the logarithms of their denominators, and sums over these.
struct Deaths {
    double log_sum;           // sum_l log(S - c_l T) - top, top being that of the risk set
    double top;               // of the risk set; what follows is relative to exp(top)
    double first, second;     // sum_l 1/(S - c_l T), and of its square
    double own, own_squared;  // the same with 1 - c_l before each, for the deaths themselves
    double spared;            // sum_l others/(S - c_l T): 1 - a of a lone death
    double largest;           // sum_l a(1 - a) of the largest member of the risk set
    std::ptrdiff_t who;
    bool who_dies;
};

// `others` are at risk and do not die at this time, `dying` do; S - c T is others + (1 - c) dying: nothing is
// subtracted. Efron's c_l is l/m for the m deaths l = 0 ... m - 1, Breslow's is 0.
inline Deaths deaths_at(const Mass& others, const Mass& dying, std::ptrdiff_t m, bool efron) {
    Deaths found = {};
    found.who_dies = !(others.top >= dying.top);
    found.top = found.who_dies ? dying.top : others.top;
    found.who = found.who_dies ? dying.who : others.who;
    const double scale_others = others.who < 0 ? 0.0 : std::exp(others.top - found.top);
    const double scale_dying = dying.who < 0 ? 0.0 : std::exp(dying.top - found.top);
    const double r = scale_others * (1.0 + others.rest), t = scale_dying * (1.0 + dying.rest);
    const std::ptrdiff_t terms = efron ? m : 1;
    for (std::ptrdiff_t l = 0; l < terms; ++l) {
        const double keep = efron ? static_cast<double>(m - l) / static_cast<double>(m) : 1.0;
        const double sum = r + keep * t, inverse = 1.0 / sum;
        // The largest member, 1 (or keep, if it dies), and the others, without a difference.
        const double one = found.who_dies ? keep : 1.0;
        const double left = found.who_dies ? r + keep * dying.rest : others.rest + keep * t;
        found.log_sum += one == 1.0 ? std::log1p(left) : std::log(sum);
        found.first += inverse;
        found.second += inverse * inverse;
        found.own += keep * inverse;
        found.own_squared += keep * inverse * (keep * inverse);
        found.spared += r * inverse;
        found.largest += one * inverse * (left * inverse);
    }
    if (!efron) {
        const double count = static_cast<double>(m);
        found.log_sum *= count;
        found.first *= count;
        found.second *= count;
        found.own *= count;
        found.own_squared *= count;
        found.spared *= count;
        found.largest *= count;
    }
    return found;
}

}  // namespace losslib
