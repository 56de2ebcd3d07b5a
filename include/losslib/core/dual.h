// Dual numbers of second order, for tests only: a value with its first and second derivative along one
// direction.
//
// A loss written for T runs on Dual<double> unchanged, and the result carries d/dt and d^2/dt^2 of whatever
// the arguments were functions of. The functions of core/vecmath.h are given here again over <cmath>, with
// derivatives from calculus, so nothing is shared with the polynomials. A derivative that is exactly zero
// removes its term even if the factor is infinite: a constant stays a constant.
#pragma once

#include <cmath>
#include <limits>

#include "losslib/core/vecmath.h"

namespace losslib {

// a * derivative with 0 for a zero derivative.
template <class T> T chain(T a, T derivative) { return derivative == T(0) ? T(0) : a * derivative; }

template <class T> struct Dual {
    T value, d1, d2;

    Dual(T value = T(0), T d1 = T(0), T d2 = T(0)) : value(value), d1(d1), d2(d2) {}

    // f(x) from f, f', f'' at x.value.
    static Dual compose(const Dual& x, T f, T slope, T curvature) {
        return {f, chain(slope, x.d1), chain(curvature, x.d1 * x.d1) + chain(slope, x.d2)};
    }

    friend Dual operator+(const Dual& a, const Dual& b) { return {a.value + b.value, a.d1 + b.d1, a.d2 + b.d2}; }
    friend Dual operator-(const Dual& a, const Dual& b) { return {a.value - b.value, a.d1 - b.d1, a.d2 - b.d2}; }
    friend Dual operator-(const Dual& a) { return {-a.value, -a.d1, -a.d2}; }
    friend Dual operator+(const Dual& a) { return a; }
    friend Dual operator*(const Dual& a, const Dual& b) {
        return {a.value * b.value, chain(a.value, b.d1) + chain(b.value, a.d1),
                chain(a.value, b.d2) + T(2) * a.d1 * b.d1 + chain(b.value, a.d2)};
    }
    friend Dual operator/(const Dual& a, const Dual& b) {
        const T quotient = a.value / b.value;
        const T slope = (a.d1 - chain(quotient, b.d1)) / b.value;
        return {quotient, slope, (a.d2 - chain(slope, T(2) * b.d1) - chain(quotient, b.d2)) / b.value};
    }
    Dual& operator+=(const Dual& b) { return *this = *this + b; }
    Dual& operator-=(const Dual& b) { return *this = *this - b; }
    Dual& operator*=(const Dual& b) { return *this = *this * b; }
    Dual& operator/=(const Dual& b) { return *this = *this / b; }

    friend bool operator==(const Dual& a, const Dual& b) { return a.value == b.value; }
    friend bool operator!=(const Dual& a, const Dual& b) { return a.value != b.value; }
    friend bool operator<(const Dual& a, const Dual& b) { return a.value < b.value; }
    friend bool operator>(const Dual& a, const Dual& b) { return a.value > b.value; }
    friend bool operator<=(const Dual& a, const Dual& b) { return a.value <= b.value; }
    friend bool operator>=(const Dual& a, const Dual& b) { return a.value >= b.value; }
};

template <class T> Dual<T> sqrt(Dual<T> x) {
    const T root = std::sqrt(x.value);
    return Dual<T>::compose(x, root, T(0.5) / root, T(-0.25) / (root * x.value));
}

template <class T> Dual<T> abs(Dual<T> x) {
    return Dual<T>::compose(x, std::fabs(x.value), T((x.value > T(0)) - (x.value < T(0))), T(0));
}

template <class T> Dual<T> exp(Dual<T> x) {
    const T e = std::exp(x.value);
    return Dual<T>::compose(x, e, e, e);
}

template <class T> Dual<T> exp_nonpositive(Dual<T> x) { return exp(x); }

template <class T> Dual<T> expm1(Dual<T> x) {
    const T e = std::exp(x.value);
    return Dual<T>::compose(x, std::expm1(x.value), e, e);
}

template <class T> Dual<T> log(Dual<T> x) {
    const T inverse = T(1) / x.value;
    return Dual<T>::compose(x, std::log(x.value), inverse, -inverse * inverse);
}

template <class T> Dual<T> log1p(Dual<T> x) {
    const T inverse = T(1) / (T(1) + x.value);
    return Dual<T>::compose(x, std::log1p(x.value), inverse, -inverse * inverse);
}

template <class T> Dual<T> log1p_unit(Dual<T> x) { return log1p(x); }

template <class T> Dual<T> x_minus_log1p(Dual<T> x) {
    T value = x.value - std::log1p(x.value);
    if (std::fabs(x.value) < T(0.05)) {  // x^2/2 - x^3/3 + ...: 20 terms are more than enough
        value = T(0);
        for (int k = 21; k >= 2; --k) value = (k % 2 == 0 ? T(1) : T(-1)) / T(k) + x.value * value;
        value *= x.value * x.value;
    }
    const T inverse = T(1) / (T(1) + x.value);
    return Dual<T>::compose(x, value, x.value * inverse, inverse * inverse);
}

template <class T> QuotientLog<Dual<T>> log_of_quotient(Dual<T> a, Dual<T> b, Dual<T>) {
    const Dual<T> q = a / b;
    return {log(a) - log(b), q * log(q) - q + Dual<T>(T(1))};
}

// 1 / (1 + exp(-x)) and log(1 + exp(x)) of plain numbers, each accurate in both tails.
template <class T> T plain_sigmoid(T x) {
    const T e = std::exp(-std::fabs(x));
    return (x < T(0) ? e : T(1)) / (T(1) + e);
}
template <class T> T plain_softplus(T x) { return (x > T(0) ? x : T(0)) + std::log1p(std::exp(-std::fabs(x))); }

template <class T> Dual<T> sigmoid(Dual<T> x) {
    const T p = plain_sigmoid(x.value), q = plain_sigmoid(-x.value);
    return Dual<T>::compose(x, p, p * q, p * q * (q - p));
}

template <class T> Dual<T> softplus(Dual<T> x) {
    const T p = plain_sigmoid(x.value), q = plain_sigmoid(-x.value);
    return Dual<T>::compose(x, plain_softplus(x.value), p, p * q);
}

template <class T> Logistic<Dual<T>> logistic(Dual<T> x) {
    return {sigmoid(x), sigmoid(-x), softplus(x), softplus(-x), softplus(-abs(x))};
}

template <class T> Dual<T> tanh(Dual<T> x) {
    const T t = std::tanh(x.value), secant = T(1) / std::cosh(x.value);
    return Dual<T>::compose(x, t, secant * secant, T(-2) * t * secant * secant);
}

template <class T> LogCosh<Dual<T>> log_cosh(Dual<T> x) {
    const T a = std::fabs(x.value), hyperbolic_sine = std::sinh(a), secant = T(1) / std::cosh(a);
    const T value = a < T(1) ? std::log1p(hyperbolic_sine * hyperbolic_sine) / T(2)
                             : a + std::log1p(std::exp(T(-2) * a)) - std::log(T(2));
    return {Dual<T>::compose(x, value, std::tanh(x.value), secant * secant), tanh(x)};
}

// x^y along a direction in both arguments.
template <class T> Dual<T> power(Dual<T> x, Dual<T> y) {
    const T f = std::pow(x.value, y.value), l = std::log(x.value);
    const T f_x = chain(std::pow(x.value, y.value - T(1)), y.value);
    const T f_xx = chain(std::pow(x.value, y.value - T(2)), y.value * (y.value - T(1)));
    const T f_y = chain(l, f), f_yy = chain(l * l, f);
    const T f_xy = std::pow(x.value, y.value - T(1)) * (T(1) + y.value * l);
    return {f, chain(f_x, x.d1) + chain(f_y, y.d1),
            chain(f_xx, x.d1 * x.d1) + chain(f_xy, T(2) * x.d1 * y.d1) + chain(f_yy, y.d1 * y.d1) + chain(f_x, x.d2) +
                chain(f_y, y.d2)};
}

// log|Gamma(x)| of constants; <cmath> has no digamma, so a derivative that is asked for is NaN rather than
// wrong.
template <class T> Dual<T> lgamma(Dual<T> x) {
    const T unknown = std::numeric_limits<T>::quiet_NaN();
    return Dual<T>::compose(x, std::lgamma(x.value), unknown, unknown);
}

}  // namespace losslib

// So that numeric_limits<T>::infinity() and the like mean the same in a template on T = Dual.
template <class T> struct std::numeric_limits<losslib::Dual<T>> : std::numeric_limits<T> {
    using Base = std::numeric_limits<T>;
    static losslib::Dual<T> infinity() { return Base::infinity(); }
    static losslib::Dual<T> quiet_NaN() { return Base::quiet_NaN(); }
    static losslib::Dual<T> epsilon() { return Base::epsilon(); }
    static losslib::Dual<T> min() { return Base::min(); }
    static losslib::Dual<T> max() { return Base::max(); }
    static losslib::Dual<T> lowest() { return Base::lowest(); }
};
