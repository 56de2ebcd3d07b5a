// A filter above the catalogue: words and a family. Every word must occur in a row, in the name, the meaning, the tags or
// the other names. Without this script the table shows everything.
const table = document.querySelector("table.loss-catalogue");
if (table) {
  const rows = [...table.tBodies[0].rows].map((row) => ({
    row,
    text: row.textContent.toLowerCase().replace(/[_:-]/g, " "),
    family: row.cells[2].textContent.trim(),
  }));
  const form = document.createElement("form");
  form.className = "loss-filter";
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "Filter the catalogue");
  form.innerHTML =
    '<label>Filter <input type="search" name="words" placeholder="robust, log loss, smooth …"></label>' +
    '<label>Family <select name="family"><option value="">all</option></select></label>' +
    '<output aria-live="polite"></output>';
  for (const family of new Set(rows.map((entry) => entry.family))) {
    form.elements.family.add(new Option(family, family));
  }
  const show = () => {
    const words = form.elements.words.value.toLowerCase().replace(/[_:-]/g, " ").split(/\s+/).filter(Boolean);
    const family = form.elements.family.value;
    let count = 0;
    for (const entry of rows) {
      const hit = (!family || entry.family === family) && words.every((word) => entry.text.includes(word));
      entry.row.hidden = !hit;
      count += hit;
    }
    form.querySelector("output").textContent = `${count} of ${rows.length} losses`;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  (table.closest(".pst-scrollable-table-container") ?? table).before(form);
  form.elements.words.value = new URLSearchParams(location.search).get("filter") ?? "";
  show();
}
