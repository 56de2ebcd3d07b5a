// Curves of losses, computed from their formulas: shared by the comparison and by the sliders of the pages.
// The drawing is that of pictures/curves.py, which draws the same panels while the site is built.
const losslibCurves = (() => {
  const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [360, 250, 46, 10, 14, 38];
  const SAMPLES = 301;

  // The parameters of a loss at their defaults.
  const defaults = (name) =>
    Object.fromEntries(losslibLosses[name].parameters.map((item) => [item.name, item.flag ?? item.default]));

  // Value, slope and curvature over an input, the others and the parameters given by name. The places are no round
  // numbers, where kinks lie: there the slope would be a point between its two sides.
  const curve = (name, given, input, low, high) =>
    Array.from({ length: SAMPLES }, (_, k) => {
      const x = low + ((high - low) * (k === 0 ? 0 : k === SAMPLES - 1 ? 1 : (k + 0.38) / SAMPLES));
      return [x, ...parts(losslibFormulas[name]({ ...given, [input]: variable(x) }))];
    });

  const ticks = (low, high) => {
    const raw = (high - low) / 5;
    const size = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * size).find((value) => value >= raw);
    const found = [];
    for (let k = Math.ceil(low / step); k <= Math.floor(high / step); k += 1) {
      found.push(k * step);
    }
    return found;
  };
  const written = (value) => String(Number(value.toPrecision(4))).replace("-", "−").replace("Infinity", "∞");

  // The range of some lines, 0 in it, without what shoots up at an edge.
  const extent = (lines) => {
    const values = lines.flatMap((points) => points.map(([, y]) => y)).filter(Number.isFinite).sort((a, b) => a - b);
    if (!values.length) {
      return [0, 1];
    }
    let [low, high] = [values[Math.floor(values.length * 0.02)], values[Math.ceil(values.length * 0.98) - 1]];
    if (values.at(-1) - values[0] < 3 * (high - low)) {
      [low, high] = [values[0], values.at(-1)];
    }
    return [Math.min(low, 0), Math.max(high, 0)];
  };

  // A pair of axes: where a point lies, the lines and numbers, and the path of a line. The range gets a margin.
  const frame = (low, high, [least, most]) => {
    const margin = 0.08 * (most - least) || 1;
    const [bottom, top] = [least - margin, most + margin];
    const across = (x) => LEFT + ((x - low) / (high - low)) * (WIDTH - LEFT - RIGHT);
    const down = (y) => TOP + ((top - y) / (top - bottom)) * (HEIGHT - TOP - BOTTOM);
    const grid = () => [
      ...ticks(low, high).map((x) =>
        `<path class="grid" d="M${across(x).toFixed(1)} ${TOP}V${HEIGHT - BOTTOM}"/>` +
        `<text x="${across(x).toFixed(1)}" y="${HEIGHT - BOTTOM + 14}" text-anchor="middle">${written(x)}</text>`),
      ...ticks(bottom, top).map((y) =>
        `<path class="grid" d="M${LEFT} ${down(y).toFixed(1)}H${WIDTH - RIGHT}"/>` +
        `<text x="${LEFT - 5}" y="${(down(y) + 3.5).toFixed(1)}" text-anchor="end">${written(y)}</text>`),
      `<path class="zero" d="M${LEFT} ${down(0).toFixed(1)}H${WIDTH - RIGHT}"/>`,
    ].join("");
    const reach = 20 * (top - bottom);
    const path = (points) => {
      let [drawn, before] = ["", null];
      points.forEach(([x, y], k) => {
        if (Number.isFinite(y)) {
          const held = Math.min(Math.max(y, bottom - reach), top + reach);
          // A step far beyond those beside it is a jump, and is not drawn as a line.
          const step = before === null ? 0 : Math.abs(held - before);
          const next = Math.abs((points[k + 1]?.[1] ?? held) - held);
          const jump = step > 0.08 * (top - bottom) && step > 8 * next;
          drawn += `${before === null || jump ? "M" : "L"}${across(x).toFixed(1)} ${down(held).toFixed(1)}`;
          before = held;
        } else {
          before = null;
        }
      });
      return drawn;
    };
    // The transformation that brings what another frame has drawn to where it lies in this one.
    const matrix = (other) => {
      const factor = (other.top - other.bottom) / (top - bottom);
      return `matrix(1 0 0 ${factor} 0 ${down(other.top) - factor * TOP})`;
    };
    return { bottom, top, grid, path, matrix };
  };

  // One panel as SVG: lines are { points: [[x, y], …], style }.
  const panel = (title, axis, lines, low, high) => {
    const { grid, path } = frame(low, high, extent(lines.map((line) => line.points)));
    const drawn = lines.map(({ points, style }) => `<path class="curve ${style}" d="${path(points)}"/>`);
    const plot = `${LEFT} ${TOP} ${WIDTH - LEFT - RIGHT} ${HEIGHT - TOP - BOTTOM}`;
    const [x, y, width, height] = plot.split(" ");
    return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title} over ${axis}">` +
      `<g class="axes">${grid()}</g>` +
      `<svg class="plot" x="${x}" y="${y}" width="${width}" height="${height}" viewBox="${plot}">${drawn.join("")}</svg>` +
      `<text class="axis" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 5}" text-anchor="middle">${axis}</text>` +
      `<text class="title" x="${LEFT + 4}" y="${TOP - 3}">${title}</text></svg>`;
  };

  // A slider between two ends, on the scale that suits them; special values are met exactly.
  const STEPS = 100;
  const toValue = (item, position) => {
    const share = position / STEPS;
    const value = item.log ? item.low * (item.high / item.low) ** share : item.low + (item.high - item.low) * share;
    const step = item.log ? value * ((item.high / item.low) ** (0.5 / STEPS) - 1) : (item.high - item.low) / STEPS / 2;
    const near = item.special.find((special) => Math.abs(special - value) <= step);
    return near ?? Number(value.toPrecision(3));
  };
  const toPosition = (item, value) => {
    const share = item.log
      ? Math.log(value / item.low) / Math.log(item.high / item.low)
      : (value - item.low) / (item.high - item.low);
    return Math.round(STEPS * Math.min(Math.max(share, 0), 1));
  };

  return { STEPS, curve, defaults, extent, frame, panel, toPosition, toValue, written };
})();
