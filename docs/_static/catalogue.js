// A filter above the catalogue: words, a family, a target and a property, each with the number of losses that it would
// leave; kept in the address. Without this script the table shows everything.
(() => {
  const table = document.querySelector("table.loss-catalogue");
  const index = document.querySelector("script.loss-index");
  if (!table || !index) {
    return;
  }
  const find = losslibFinder(JSON.parse(index.textContent));
  const body = table.tBodies[0];
  const rows = find("").map(({ entry }, k) => {
    const hint = document.createElement("small");
    hint.className = "loss-hint";
    body.rows[k].cells[0].append(hint);
    return { row: body.rows[k], hint, data: entry.data };
  });
  const byName = new Map(rows.map((one) => [one.data.name, one]));
  const tags = (data) => [...data.tags, ...(data.hessian ? ["Hessian"] : [])];
  // Name in the address -> label, and the values of a loss; families stand below their door.
  const facets = {
    family: ["Family", (data) => [data.family, data.door]],
    target: ["Target", (data) => [data.target]],
    tag: ["Property", tags],
  };
  const form = document.createElement("form");
  form.className = "loss-filter";
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "Filter the catalogue");
  form.innerHTML =
    '<label>Filter <input type="search" name="words" placeholder="robust, log loss, imbalanced …"></label>' +
    Object.entries(facets).map(([name, [label]]) => `<label>${label} <select name="${name}"></select></label>`).join("") +
    '<output aria-live="polite"></output>';
  const field = form.elements;
  const asked = new URLSearchParams(location.search);
  let first = true;

  // The answers of a choice with their counts; one that is chosen stays, though nothing may be left of it.
  const offer = (name, left) => {
    const select = field[name];
    const chosen = (first ? asked.get(name) : select.value) ?? "";
    const values = facets[name][1];
    const option = (value, label = value) => {
      const count = left.filter((one) => values(one.data).includes(value)).length;
      return count || value === chosen ? [new Option(`${label} (${count})`, value)] : [];
    };
    const all = rows.map((one) => one.data);
    const listed = name === "family"
      ? [...new Set(all.map((data) => data.door))].flatMap((door) => {
        const group = document.createElement("optgroup");
        group.label = door;
        const families = [...new Set(all.filter((data) => data.door === door).map((data) => data.family))];
        group.append(...(families.length > 1 ? option(door, `${door}: all`) : []), ...families.flatMap((one) => option(one)));
        return group.children.length ? [group] : [];
      })
      : [...new Set(all.flatMap(values))].sort().flatMap((value) => option(value));
    select.replaceChildren(new Option("all", ""), ...listed);
    select.value = chosen;
  };
  const show = () => {
    const hits = find(field.words.value).map((hit) => ({ ...byName.get(hit.entry.data.name), said: hit.hint }));
    const holds = (one, name) => !field[name].value || facets[name][1](one.data).includes(field[name].value);
    const names = Object.keys(facets);
    for (const name of names) {
      offer(name, hits.filter((one) => names.every((other) => other === name || holds(one, other))));
    }
    first = false;
    const shown = hits.filter((one) => names.every((name) => holds(one, name)));
    for (const one of rows) {
      one.row.hidden = true;
      one.hint.textContent = "";
    }
    for (const one of shown) {
      one.row.hidden = false;
      one.hint.textContent = one.said;
      body.append(one.row);
    }
    form.querySelector("output").textContent = `${shown.length} of ${rows.length} losses`;
    const address = new URL(location.href);
    for (const [name, value] of [["filter", field.words.value], ...names.map((other) => [other, field[other].value])]) {
      if (value) {
        address.searchParams.set(name, value);
      } else {
        address.searchParams.delete(name);
      }
    }
    history.replaceState(null, "", address);
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  (table.closest(".pst-scrollable-table-container") ?? table).before(form);
  field.words.value = asked.get("filter") ?? "";
  for (const name of Object.keys(facets)) {
    offer(name, rows);
  }
  show();
})();
