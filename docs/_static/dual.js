// Numbers with their first and second derivative along one direction, for formulas that the pages print as JavaScript.
// A constant is a plain number; a variable is an array [value, first, second].
const parts = (a) => (typeof a === "number" ? [a, 0, 0] : a);
const plain = (a) => (typeof a === "number" ? a : a[0]);
const variable = (value) => [value, 1, 0];

// f(a) from f, f' and f'' at the value of a; what does not move has no derivative to compute.
const applied = (a, f, first, second) => {
  if (typeof a === "number") {
    return f(a);
  }
  const [v, s, c] = a;
  const slope = first(v);
  return [f(v), slope * s, second(v) * s * s + slope * c];
};

const neg = (a) => (typeof a === "number" ? -a : [-a[0], -a[1], -a[2]]);
const add = (a, b) => {
  if (typeof a === "number" && typeof b === "number") {
    return a + b;
  }
  const [u, v] = [parts(a), parts(b)];
  return [u[0] + v[0], u[1] + v[1], u[2] + v[2]];
};
const sub = (a, b) => add(a, neg(b));
const mul = (a, b) => {
  if (typeof a === "number" && typeof b === "number") {
    return a * b;
  }
  if (a === 0 || b === 0) {
    return 0; // 0 times an infinite logarithm is 0, as in every entropy
  }
  const [u, v] = [parts(a), parts(b)];
  return [u[0] * v[0], u[1] * v[0] + u[0] * v[1], u[2] * v[0] + 2 * u[1] * v[1] + u[0] * v[2]];
};
const div = (a, b) => {
  if (typeof b === "number") {
    return typeof a === "number" ? a / b : [a[0] / b, a[1] / b, a[2] / b];
  }
  return mul(a, applied(b, (v) => 1 / v, (v) => -1 / (v * v), (v) => 2 / (v * v * v)));
};
const power = (a, n) => {
  if (typeof n !== "number") {
    return exp(mul(n, log(a)));
  }
  const slope = (v) => (n === 0 ? 0 : n * v ** (n - 1));
  const curvature = (v) => (n * (n - 1) === 0 ? 0 : n * (n - 1) * v ** (n - 2));
  return applied(a, (v) => v ** n, slope, curvature);
};

const lt = (a, b) => plain(a) < plain(b);
const le = (a, b) => plain(a) <= plain(b);
const gt = (a, b) => plain(a) > plain(b);
const ge = (a, b) => plain(a) >= plain(b);
const eq = (a, b) => plain(a) === plain(b);
const ne = (a, b) => plain(a) !== plain(b);
const max = (a, b) => (plain(a) >= plain(b) ? a : b);
const min = (a, b) => (plain(a) <= plain(b) ? a : b);
const clip = (a, least, most) => min(max(a, least), most);

const exp = (a) => applied(a, Math.exp, Math.exp, Math.exp);
const expm1 = (a) => applied(a, Math.expm1, Math.exp, Math.exp);
const log = (a) => applied(a, Math.log, (v) => 1 / v, (v) => -1 / (v * v));
const log1p = (a) => applied(a, Math.log1p, (v) => 1 / (1 + v), (v) => -1 / ((1 + v) * (1 + v)));
const sqrt = (a) => applied(a, Math.sqrt, (v) => 0.5 / Math.sqrt(v), (v) => -0.25 / (v * Math.sqrt(v)));
const abs = (a) => applied(a, Math.abs, Math.sign, () => 0);
const sign = (a) => Math.sign(plain(a));
const cosh = (a) => applied(a, Math.cosh, Math.sinh, Math.cosh);
const secant2 = (v) => 4 * logistic(2 * v) * logistic(-2 * v);
const tanh = (a) => applied(a, Math.tanh, secant2, (v) => -2 * Math.tanh(v) * secant2(v));
const logistic = (v) => (v >= 0 ? 1 / (1 + Math.exp(-v)) : Math.exp(v) / (1 + Math.exp(v)));
const bell = (v) => logistic(v) * logistic(-v);
const sigmoid = (a) => applied(a, logistic, bell, (v) => bell(v) * (logistic(-v) - logistic(v)));
const softplus = (a) => applied(a, (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))), logistic, bell);
// Of parameters and targets only: log Γ has no derivative here. Stirling's series from 10 on, the recurrence below.
const loggamma = (a) => {
  let [x, shift] = [plain(a), 0];
  for (; x < 10; x += 1) {
    shift += Math.log(x);
  }
  const r = 1 / (x * x);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / x;
  return (x - 0.5) * Math.log(x) - x + 0.9189385332046727 + series - shift;
};
