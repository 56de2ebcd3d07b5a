// The tail of the normal distribution: its logarithm, its hazard, and the moments of a piece of it.
#pragma once

#include <cmath>

namespace losslib {

constexpr double half_log_two_pi = 0.91893853320467274178;

// Q(z) = P(Z > z): -log Q, the hazard r = phi/Q, and r - z, which cancels to 1/z far to the right.
struct NormalTail {
    double minus_log, hazard, excess;
};

// From 3 on Laplace's continued fraction r - z = 1/(z + 2/(z + 3/(z + ...))), whose error after n steps is near
// exp(-2 z sqrt(2 n)); before that the complementary error function, on the side where it is small.
inline NormalTail normal_tail(double z) {
    if (z >= 3.0) {
        double fraction = z;
        for (int k = 6 + static_cast<int>(250.0 / (z * z)); k > 1; --k) fraction = z + k / fraction;
        const double excess = 1.0 / fraction;
        return {0.5 * z * z + half_log_two_pi + std::log(z + excess), z + excess, excess};
    }
    constexpr double root_half = 0.70710678118654752440;
    const double tail = 0.5 * std::erfc(z * root_half);
    const double minus_log = z < -1.0 ? -std::log1p(-0.5 * std::erfc(-z * root_half)) : -std::log(tail);
    const double hazard = std::exp(-0.5 * z * z - half_log_two_pi) / tail;
    return {minus_log, hazard, hazard - z};
}

// The normal distribution between l and l + h: -log of its probability, its mean, and 1 - its variance.
struct NormalPiece {
    double minus_log, mean, lost_variance;
};

constexpr double legendre_nodes[16][2] = {
    {0.048307665687738324, 0.096540088514727659}, {0.14447196158279649, 0.095638720079274708},
    {0.23928736225213706, 0.093844399080804511},  {0.33186860228212767, 0.09117387869576378},
    {0.42135127613063533, 0.087652093004403783},  {0.50689990893222936, 0.083311924226946707},
    {0.5877157572407623, 0.078193895787070228},   {0.66304426693021523, 0.072345794108848338},
    {0.73218211874028971, 0.065822222776361683},  {0.79448379596794239, 0.058684093478535565},
    {0.84936761373256997, 0.050998059262376091},  {0.89632115576605209, 0.042835898022226836},
    {0.93490607593773967, 0.034273862913021765},  {0.96476225558750639, 0.025392065309262024},
    {0.98561151154526838, 0.016274394730905743},  {0.99726386184948157, 0.0070186100094705058},
};

// By Gauss-Legendre quadrature of exp(-l t - t^2/2), 0 < t < h, with 32 nodes: nothing cancels, however narrow the
// piece and however far out. For l >= 3 the integrand is below 1e-17 of its start at t = 40/l; else h must be <= 1.
inline NormalPiece normal_piece_by_quadrature(double l, double h) {
    const double half = 0.5 * (l >= 3.0 ? std::fmin(h, 40.0 / l) : h);
    double mass = 0.0, first = 0.0, second = 0.0;
    for (int k = 0; k < 32; ++k) {
        const double* node = legendre_nodes[k < 16 ? k : k - 16];
        const double t = half * (k < 16 ? 1.0 + node[0] : 1.0 - node[0]);
        const double share = node[1] * std::exp(-t * (l + 0.5 * t));
        mass += share;
        first += share * t;
        second += share * (t * t);
    }
    const double mean = first / mass;
    return {0.5 * l * l + half_log_two_pi - std::log(half * mass), l + mean, 1.0 - (second / mass - mean * mean)};
}

// Wide pieces that begin before 3, from the two tails: with e = Q(u)/Q(l) the mean is (r_l - e r_u)/(1 - e).
inline NormalPiece normal_piece_by_tails(double l, double u) {
    const NormalTail low = normal_tail(l), high = normal_tail(u);
    const double e = std::exp(low.minus_log - high.minus_log);
    const double odds = e == 0.0 ? 0.0 : e / (1.0 - e);
    const double step = odds == 0.0 ? 0.0 : odds * (low.hazard - high.hazard);
    const double density = odds == 0.0 ? 0.0 : odds * (u * high.hazard - l * low.hazard);
    return {low.minus_log - std::log1p(-e), low.hazard + step,
            low.hazard * low.excess + step * (2.0 * low.hazard + step) + density};
}

// Reflected so that the middle is not left of 0, where the tails are small numbers.
inline NormalPiece normal_piece(double l, double u, double h) {
    const bool reflected = l + u < 0.0;
    const double start = reflected ? -u : l;
    NormalPiece piece =
        start >= 3.0 || h <= 1.0 ? normal_piece_by_quadrature(start, h) : normal_piece_by_tails(start, start + h);
    if (reflected) piece.mean = -piece.mean;
    return piece;
}

}  // namespace losslib
