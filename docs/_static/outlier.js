// Drag the outlier: thirty points, the line that each loss fits to them, and how hard each point pulls.
(() => {
  const place = document.getElementById("loss-outlier");
  if (!place) {
    return;
  }
  const NAMES = ["mse_loss", "huber_loss", "l1_loss", "cauchy_loss", "tukey_biweight_loss"];
  const style = (k) => `c${k % 4}${k > 3 ? " dashed" : ""}`; // four colours
  const [WIDTH, HEIGHT, LEFT, BOTTOM] = [640, 360, 34, 26];
  const [LOW, HIGH] = [-6, 6];
  // The same points for everybody: a line with noise from a small generator, the last of them far off.
  let seed = 7;
  const random = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
  const noise = () => random() + random() + random() + random() - 2;
  const start = Array.from({ length: 30 }, (_, k) => [k / 3 + 0.15, 0.4 * (k / 3) - 1 + 0.9 * noise()]);
  start[27][1] = -4;
  let points = start.map((point) => [...point]);

  const across = (x) => LEFT + (x / 10) * (WIDTH - LEFT - 10);
  const down = (y) => 8 + ((HIGH - y) / (HIGH - LOW)) * (HEIGHT - BOTTOM - 8);
  const up = (v) => HIGH - ((v - 8) / (HEIGHT - BOTTOM - 8)) * (HIGH - LOW);
  const slopeAt = (name, d) =>
    parts(losslibFormulas[name]({ ...losslibCurves.defaults(name), input: variable(d), target: 0 }))[1];

  // Weighted least squares again and again: the weight of a point is its slope divided by its error.
  const fit = (name, first) => {
    let [a, b] = first;
    for (let round = 0; round < 80; round += 1) {
      let [s, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0];
      for (const [x, y] of points) {
        const error = a + b * x - y;
        const d = Math.abs(error) < 1e-4 ? 1e-4 : error;
        const weight = slopeAt(name, d) / d;
        s += weight;
        sx += weight * x;
        sy += weight * y;
        sxx += weight * x * x;
        sxy += weight * x * y;
      }
      const determinant = s * sxx - sx * sx;
      if (!(Math.abs(determinant) > 1e-12)) {
        break;
      }
      const before = [a, b];
      [a, b] = [(sy * sxx - sx * sxy) / determinant, (s * sxy - sx * sy) / determinant];
      if (Math.abs(a - before[0]) + Math.abs(b - before[1]) < 1e-9) {
        break;
      }
    }
    return [a, b];
  };

  place.innerHTML =
    `<form>${NAMES.map((name, k) => `<label><input type="checkbox" name="${name}" checked> ` +
      `<svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true"><path class="curve ${style(k)}" d="M0 4H28"/></svg> ` +
      `${losslibLosses[name].title}</label>`).join("")}<button type="reset">Put the points back</button></form>` +
    `<figure class="loss-figure"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="group" aria-label="Points and fitted lines">` +
    '<g class="lines"></g><g class="pulls"></g><g class="points"></g></svg></figure>';
  const form = place.querySelector("form");
  const svg = place.querySelector("figure svg");
  const dots = points.map((point, k) => {
    const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    dot.setAttribute("r", "6");
    dot.setAttribute("tabindex", "0");
    dot.setAttribute("role", "slider");
    dot.setAttribute("aria-label", `Height of point ${k + 1}`);
    dot.setAttribute("aria-valuemin", LOW);
    dot.setAttribute("aria-valuemax", HIGH);
    svg.querySelector(".points").append(dot);
    return dot;
  });

  const draw = () => {
    points.forEach(([x, y], k) => {
      dots[k].setAttribute("cx", across(x).toFixed(1));
      dots[k].setAttribute("cy", down(y).toFixed(1));
      dots[k].setAttribute("aria-valuenow", y.toFixed(2));
    });
    const shown = NAMES.filter((name) => form.elements[name].checked);
    const squares = fit("mse_loss", [0, 0]);
    // Losses that forget outliers have several minima: they start from the fit of one that has one.
    const middle = fit("huber_loss", squares);
    const lines = shown.map((name) => [name, name === "mse_loss" ? squares : fit(name, middle)]);
    svg.querySelector(".lines").innerHTML = lines.map(([name, [a, b]]) =>
      `<path class="curve ${style(NAMES.indexOf(name))}" data-name="${name}" ` +
      `data-slope="${b}" d="M${across(0).toFixed(1)} ${down(a).toFixed(1)}L${across(10).toFixed(1)} ${down(a + 10 * b).toFixed(1)}"/>`).join("");
    svg.querySelector(".pulls").innerHTML = lines.map(([name, [a, b]], n) => points.map(([x, y]) => {
      const pull = slopeAt(name, a + b * x - y);
      const left = across(x) - 8 + 3.2 * n;
      const height = Math.max(-30, Math.min(30, 6 * pull));
      return `<path class="curve c${NAMES.indexOf(name) % 4}" d="M${left.toFixed(1)} ${HEIGHT - BOTTOM}v${(-Math.abs(height)).toFixed(1)}"/>`;
    }).join("")).join("");
  };

  const move = (k, y) => {
    points[k][1] = Math.max(LOW, Math.min(HIGH, y));
    draw();
  };
  dots.forEach((dot, k) => {
    dot.addEventListener("keydown", (event) => {
      const step = { ArrowUp: 0.1, ArrowDown: -0.1 }[event.key];
      if (step) {
        event.preventDefault();
        move(k, points[k][1] + step * (event.shiftKey ? 10 : 1));
      }
    });
    dot.addEventListener("pointerdown", (event) => {
      dot.setPointerCapture(event.pointerId);
      event.preventDefault();
      dot.focus();
    });
    dot.addEventListener("pointermove", (event) => {
      if (dot.hasPointerCapture(event.pointerId)) {
        const box = svg.getBoundingClientRect();
        move(k, up(((event.clientY - box.top) / box.height) * HEIGHT));
      }
    });
  });
  form.addEventListener("change", draw);
  form.addEventListener("reset", () => {
    points = start.map((point) => [...point]);
    setTimeout(draw); // after the boxes have been reset
  });
  draw();
})();
