// A filter above the catalogue: words, a family and a property, each with the number of losses that it would leave; kept
// in the address. Without this script the table shows everything.
(() => {
  const table = document.querySelector("table.loss-catalogue");
  const index = document.querySelector("script.loss-index");
  if (!table || !index) {
    return;
  }
  const find = losslibFinder(JSON.parse(index.textContent));
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => {
    const hint = document.createElement("small");
    hint.className = "loss-hint";
    row.cells[0].append(hint);
    return {
      row,
      hint,
      family: row.cells[2].textContent.trim(),
      tags: row.cells[3].textContent.split(",").map((tag) => tag.trim()).filter(Boolean),
    };
  });
  const byName = new Map(find("").map((hit, k) => [hit.entry.data.name, rows[k]]));
  const form = document.createElement("form");
  form.className = "loss-filter";
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "Filter the catalogue");
  form.innerHTML =
    '<label>Filter <input type="search" name="words" placeholder="robust, log loss, imbalanced …"></label>' +
    '<label>Family <select name="family"></select></label>' +
    '<label>Property <select name="tag"></select></label>' +
    '<output aria-live="polite"></output>';
  const { words, family, tag } = form.elements;
  const asked = new URLSearchParams(location.search);

  // The answers of a choice with their counts; one that is chosen stays, though nothing may be left of it.
  const offer = (select, values, left) => {
    const chosen = select.value || (select.options.length ? "" : asked.get(select.name)) || "";
    const counted = values.map((value) => [value, left.filter((one) => one.family === value || one.tags.includes(value)).length]);
    select.replaceChildren(
      new Option("all", ""),
      ...counted.filter(([value, count]) => count || value === chosen).map(([value, count]) => new Option(`${value} (${count})`, value)),
    );
    select.value = chosen;
  };
  const families = [...new Set(rows.map((one) => one.family))];
  const tags = [...new Set(rows.flatMap((one) => one.tags))].sort();
  const show = () => {
    const hits = find(words.value).map((hit) => ({ ...hit, ...byName.get(hit.entry.data.name), said: hit.hint }));
    const inFamily = (one) => !family.value || one.family === family.value;
    const hasTag = (one) => !tag.value || one.tags.includes(tag.value);
    offer(family, families, hits.filter(hasTag));
    offer(tag, tags, hits.filter(inFamily));
    const shown = hits.filter((one) => inFamily(one) && hasTag(one));
    for (const one of rows) {
      one.row.hidden = true;
      one.hint.textContent = "";
    }
    for (const one of shown) {
      one.row.hidden = false;
      byName.get(one.entry.data.name).hint.textContent = one.said;
      body.append(one.row);
    }
    form.querySelector("output").textContent = `${shown.length} of ${rows.length} losses`;
    const address = new URL(location.href);
    for (const [name, value] of [["filter", words.value], ["family", family.value], ["tag", tag.value]]) {
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
  words.value = asked.get("filter") ?? "";
  offer(family, families, rows);
  offer(tag, tags, rows);
  show();
})();
