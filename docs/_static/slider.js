// The slider under the picture of a loss: puts the chosen curves into both panels. Without this script the picture is
// complete; the control stays hidden.
document.querySelectorAll(".loss-slider").forEach((control) => {
  const curves = JSON.parse(control.querySelector("script").textContent);
  const input = control.querySelector("input");
  const output = control.querySelector("output");
  const [value, gradient] = [...control.closest("figure").querySelectorAll(".panels svg")].map((panel) =>
    panel.querySelectorAll(".moving"),
  );
  const show = () => {
    const k = Number(input.value);
    value.forEach((path, n) => path.setAttribute("d", curves.value[k][n]));
    gradient.forEach((path, n) => path.setAttribute("d", curves.gradient[k][n]));
    output.textContent = curves.labels[k];
    input.setAttribute("aria-valuetext", curves.labels[k]);
  };
  input.addEventListener("input", show);
  control.hidden = false;
  show();
});
