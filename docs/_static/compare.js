// The comparison: up to four losses with their parameters, kept in the address as ?l=huber_loss:delta=2,cauchy_loss. On
// the page of a loss it starts with that loss, and the address stays what it is.
const losslibCompare = (place, { root = "", start = "" } = {}) => {
  const { STEPS, curve, defaults, panel, toPosition, toValue, written } = losslibCurves;
  const MOST = 4;
  const names = Object.keys(losslibLosses);
  const full = (name) => (names.includes(name) ? name : names.find((other) => other === `${name}_loss`) ??
    names.find((other) => losslibLosses[other].title.toLowerCase() === name.toLowerCase()));

  const read = () => {
    const asked = start || (new URLSearchParams(location.search).get("l") ?? "");
    const chosen = asked.split(",").filter(Boolean).map((text) => {
      const [name, ...settings] = text.split(":");
      const known = full(name);
      if (!known) {
        return null;
      }
      const parameters = defaults(known);
      for (const setting of settings) {
        const [key, value] = setting.split("=");
        if (key in parameters) {
          parameters[key] = value === "true" || value === "false" ? value === "true" : Number(value);
        }
      }
      return { name: known, parameters };
    }).filter((one) => one && Object.values(one.parameters).every((value) => !Number.isNaN(value))).slice(0, MOST);
    return chosen.length ? chosen : ["huber_loss", "cauchy_loss"].map((name) => ({ name, parameters: defaults(name) }));
  };
  let chosen = read();

  const settings = ({ name, parameters }) => {
    const usual = defaults(name);
    return Object.entries(parameters).filter(([key, value]) => value !== usual[key]);
  };
  const text = (one) => [one.name, ...settings(one).map(([key, value]) => `${key}=${value}`)].join(":");
  const literal = (value) => (value === true ? "True" : value === false ? "False" : String(value));
  const call = (one) =>
    `losslib.${one.name}(x, t${settings(one).map(([key, value]) => `, ${key}=${literal(value)}`).join("")})`;
  const escape = (words) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");

  place.innerHTML =
    '<form class="compare-add"><label>Add a loss <input list="compare-names" name="name" autocomplete="off"></label>' +
    '<datalist id="compare-names"></datalist><button type="submit">Add</button>' +
    '<output aria-live="polite"></output></form>' +
    '<div class="compare-chosen"></div><figure class="loss-figure"><div class="panels"></div>' +
    '<ul class="loss-legend"></ul></figure><div class="compare-table pst-scrollable-table-container"></div>';
  place.querySelector("datalist").innerHTML = names.map((name) => `<option value="${name}">`).join("");
  const form = place.querySelector("form");

  const style = (k, dashed) => `c${k}${dashed ? " dashed" : ""}`;
  const draw = () => {
    const axes = chosen.map(({ name }) => losslibLosses[name].axis);
    const [low, high] = [Math.min(...axes.map((axis) => axis.low)), Math.max(...axes.map((axis) => axis.high))];
    const same = new Set(axes.map((axis) => axis.input + axis.difference)).size === 1;
    const label = same && axes[0].difference ? "input − target" : same ? axes[0].input : "first input";
    const lines = chosen.flatMap(({ name, parameters }, k) => {
      const { axis } = losslibLosses[name];
      const targets = axis.difference ? [0] : axis.targets.slice(0, 2);
      return (targets.length ? targets : [0]).map((target, n) => ({
        points: curve(name, { ...parameters, ...axis.fixed, target }, axis.input, axis.low, axis.high), style: style(k, n > 0), target, name, axis,
      }));
    });
    const panels = [["value", 1], ["slope", 2], ["curvature", 3]].map(([title, column]) =>
      panel(title, label, lines.map((line) => ({
        points: line.points.map((point) => [point[0], point[column]]), style: line.style,
      })), low, high));
    place.querySelector(".panels").innerHTML = panels.join("");
    place.querySelector(".loss-legend").innerHTML = lines.map((line) =>
      `<li><svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true"><path class="curve ${line.style}" d="M0 4H28"/>` +
      `</svg>${escape(losslibLosses[line.name].title)}` +
      `${line.axis.difference || !line.axis.targets.length ? "" : `, target ${written(line.target)}`}</li>`).join("");
  };

  const table = () => {
    const facts = chosen.map(({ name }) => Object.fromEntries(losslibLosses[name].facts));
    const rows = [...new Set(facts.flatMap(Object.keys))];
    const differences = chosen.map(({ name }) => chosen
      .filter((other) => other.name !== name && losslibLosses[name].differences[other.name])
      .map((other) => `${losslibLosses[other.name].title}: ${losslibLosses[name].differences[other.name]}`)
      .join("; "));
    const row = (title, cells) => `<tr><th scope="row">${title}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
    place.querySelector(".compare-table").innerHTML = '<table class="table"><thead>' +
      `<tr><td></td>${chosen.map(({ name }, k) =>
        `<th scope="col"><a href="${root}generated/${name}.html">${escape(losslibLosses[name].title)}</a> ` +
        `<svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true"><path class="curve ${style(k)}" d="M0 4H28"/></svg></th>`).join("")}</tr>` +
      "</thead><tbody>" +
      row("call", chosen.map((one) => `<code>${escape(call(one))}</code>`)) +
      row("meaning", chosen.map(({ name }) => escape(losslibLosses[name].summary))) +
      rows.map((fact) => row(fact, facts.map((known) => escape(known[fact] ?? "–")))).join("") +
      (differences.some(Boolean) ? row("beside it", differences.map((words) => escape(words) || "–")) : "") +
      "</tbody></table><p>Facts are those of the defaults.</p>";
  };

  const show = () => {
    draw();
    table();
    if (start) {
      return;
    }
    const address = new URL(location.href);
    address.search = `?l=${chosen.map(text).join(",")}`;
    history.replaceState(null, "", address);
  };

  // One group of controls for each loss; moving a slider does not build them anew, so the focus stays.
  const controls = () => {
    const box = place.querySelector(".compare-chosen");
    box.innerHTML = "";
    chosen.forEach((one, k) => {
      const group = document.createElement("fieldset");
      group.className = `compare-loss ${style(k)}`;
      group.innerHTML = `<legend><a href="${root}generated/${one.name}.html">${escape(losslibLosses[one.name].title)}</a> ` +
        `<button type="button" aria-label="Remove ${escape(losslibLosses[one.name].title)}">×</button></legend>`;
      group.querySelector("button").addEventListener("click", () => {
        chosen = chosen.filter((other) => other !== one);
        rebuild();
        form.elements.name.focus();
      });
      for (const item of losslibLosses[one.name].parameters) {
        const label = document.createElement("label");
        const value = one.parameters[item.name];
        if ("flag" in item) {
          label.innerHTML = `<input type="checkbox"> ${item.name}`;
          label.firstChild.checked = value;
          label.firstChild.addEventListener("change", (event) => {
            one.parameters[item.name] = event.target.checked;
            show();
          });
        } else {
          label.innerHTML = `${item.name} <input type="range" min="0" max="${STEPS}" step="1"> <output></output>`;
          const [input, output] = [label.querySelector("input"), label.querySelector("output")];
          input.value = toPosition(item, value);
          const say = () => {
            output.textContent = written(one.parameters[item.name]);
            input.setAttribute("aria-valuetext", `${item.name} = ${output.textContent}`);
          };
          input.addEventListener("input", () => {
            one.parameters[item.name] = toValue(item, Number(input.value));
            say();
            show();
          });
          say();
        }
        group.append(label);
      }
      box.append(group);
    });
    form.hidden = chosen.length >= MOST;
  };
  const rebuild = () => {
    controls();
    show();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = full(form.elements.name.value.trim());
    form.querySelector("output").textContent = name ? "" : "no such loss of single elements";
    if (name && chosen.length < MOST) {
      chosen.push({ name, parameters: defaults(name) });
      form.elements.name.value = "";
      rebuild();
    }
  });
  rebuild();
};

if (document.getElementById("loss-compare")) {
  losslibCompare(document.getElementById("loss-compare"));
}
