// The slider under the picture of a loss: puts the chosen curves into both panels, and other axes where they need them.
// Without this script the picture is complete; the control stays hidden.
document.querySelectorAll(".loss-slider").forEach((control) => {
  const data = JSON.parse(control.querySelector("script").textContent);
  const input = control.querySelector("input");
  const output = control.querySelector("output");
  const figure = control.closest("figure");
  const chosen = figure.querySelector(".loss-chosen");
  const panels = [...figure.querySelectorAll(".panels > svg")].map((svg, n) => {
    const axes = svg.querySelector(".axes");
    return {
      paths: svg.querySelectorAll(".plot .moving"),
      axes,
      fixed: svg.querySelector(".fixed"),
      usual: axes.innerHTML,
      curves: data[["value", "gradient"][n]],
      others: data[["valueAxes", "gradientAxes"][n]] ?? {},
    };
  });
  const show = () => {
    const k = Number(input.value);
    for (const panel of panels) {
      panel.paths.forEach((path, n) => path.setAttribute("d", panel.curves[k][n]));
      const [grid, matrix] = panel.others[k] ?? [panel.usual, ""];
      panel.axes.innerHTML = grid;
      panel.fixed.setAttribute("transform", matrix);
    }
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
