// The slider under the picture of a loss: puts the chosen curves into both panels, and other axes where they need them.
// The curves of a loss of single elements are computed here from its formula, by the code of the comparison; those of
// other losses travel with the page. Without this script the picture is complete; the control stays hidden.
(() => {
  const TITLES = ["value", "gradient"];

  // Position -> for both panels the paths, the lines of the axes and the transformation of the curves that stay.
  const travelled = (data, usual) => (k) => TITLES.map((title, n) => {
    const [grid, matrix] = data[`${title}Axes`]?.[k] ?? [usual[n], ""];
    return { paths: data[title][k], grid, matrix };
  });

  const computed = (data, usual) => {
    const { curve, extent, frame } = losslibCurves;
    const { loss, parameter, parameters, input, low, high, ranges, alone } = data;
    return (k) => {
      const lines = data.given.map((others, n) => (data.absent[k]?.includes(n)
        ? []
        : curve(loss, { ...parameters, ...others, [parameter]: data.values[k] }, input, low, high)));
      return TITLES.map((title, n) => {
        const points = lines.map((line) => line.map((numbers) => [numbers[0], numbers[n + 1]]));
        // The usual axes while the curves fit them; those that stand alone decide by themselves.
        const [least, most] = ranges[title];
        let [a, b] = extent(points);
        [a, b] = alone ? [a, b] : [Math.min(least, a), Math.max(most, b)];
        const slack = 0.08 * (most - least);
        const fits = b - a > 0.5 * (most - least) && a >= least - slack && b <= most + slack;
        const first = frame(low, high, [least, most]);
        const shown = fits ? first : frame(low, high, [a, b]);
        return {
          paths: points.map(shown.path),
          grid: fits ? usual[n] : shown.grid(),
          matrix: fits ? "" : shown.matrix(first),
        };
      });
    };
  };

  document.querySelectorAll(".loss-slider").forEach(async (control) => {
    const data = JSON.parse(control.querySelector("script").textContent, (key, value) =>
      (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value));
    const input = control.querySelector("input");
    const output = control.querySelector("output");
    const figure = control.closest("figure");
    const chosen = figure.querySelector(".loss-chosen");
    const panels = [...figure.querySelectorAll(".panels > svg")].map((svg) => ({
      paths: svg.querySelectorAll(".plot .moving"),
      axes: svg.querySelector(".axes"),
      fixed: svg.querySelector(".fixed"),
    }));
    if (data.loss) {
      await losslibLoad("dual", "losses", "curves");
    }
    const position = (data.loss ? computed : travelled)(data, panels.map(({ axes }) => axes.innerHTML));
    const show = () => {
      const k = Number(input.value);
      position(k).forEach(({ paths, grid, matrix }, n) => {
        panels[n].paths.forEach((path, m) => path.setAttribute("d", paths[m]));
        panels[n].axes.innerHTML = grid;
        panels[n].fixed.setAttribute("transform", matrix);
      });
      output.textContent = data.labels[k];
      if (chosen) {
        chosen.querySelector("span").textContent = `chosen: ${data.labels[k]}`;
      }
      input.setAttribute("aria-valuetext", data.labels[k]);
    };
    input.addEventListener("input", show);
    control.hidden = false;
    if (chosen) {
      chosen.hidden = false;
    }
    figure.classList.toggle("replaced", control.classList.contains("replaces"));
    show();
  });
})();
