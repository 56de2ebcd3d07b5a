// A filter above the catalogue: words and a family. A row is found by its name, the names that it has elsewhere, keywords
// and text, in this order; exact names come first. Without this script the table shows everything.
const plain = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
const camel = (text) => text.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/([A-Z])([A-Z][a-z])/g, "$1 $2");

// Words of the query in a row at the start of words of the text: the last one may be unfinished.
const holds = (text, query) => ` ${text}`.includes(` ${query}`);

class Entry {
  constructor(row, data) {
    this.row = row;
    this.family = row.cells[2].textContent.trim();
    this.names = [...new Set([data.name, data.title, data.name.replace(/_loss$/, "")].map(plain))];
    this.aliases = data.aliases.flatMap((alias) => [
      [plain(alias), alias],
      [plain(camel(alias)), alias],
      [plain(alias.split(/[.]/).pop()), alias],
    ]);
    this.keywords = Object.entries(data.keywords).map(([word, place]) => [plain(word), word, place]);
    this.text = plain(data.text);
    this.hint = document.createElement("small");
    this.hint.className = "loss-hint";
    row.cells[0].append(this.hint);
  }

  // How well the row answers, as numbers of which smaller is better, with what to say about it; null if it does not.
  rank(query) {
    for (const [kind, fits] of [[0, (text) => text === query], [4, (text) => holds(text, query)]]) {
      if (this.names.some(fits)) {
        return { rank: kind, place: 0, hint: "" };
      }
      const alias = this.aliases.find(([text]) => fits(text));
      if (alias) {
        return { rank: kind + 1, place: 0, hint: alias[1] };
      }
      const keyword = this.keywords.find(([text]) => fits(text));
      if (keyword) {
        return { rank: kind + 2, place: keyword[2], hint: keyword[1] };
      }
    }
    return holds(this.text, query) ? { rank: 7, place: 0, hint: "" } : null;
  }

  // Every word somewhere, for queries that no row holds as they are.
  mentions(query) {
    const all = [...this.names, ...this.aliases.map(([text]) => text), ...this.keywords.map(([text]) => text), this.text];
    return query.split(" ").every((word) => all.some((text) => holds(text, word)));
  }
}

const table = document.querySelector("table.loss-catalogue");
const index = document.querySelector("script.loss-index");
if (table && index) {
  const data = JSON.parse(index.textContent);
  const body = table.tBodies[0];
  const entries = [...body.rows].map((row, k) => new Entry(row, data[k]));
  const form = document.createElement("form");
  form.className = "loss-filter";
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "Filter the catalogue");
  form.innerHTML =
    '<label>Filter <input type="search" name="words" placeholder="robust, log loss, imbalanced …"></label>' +
    '<label>Family <select name="family"><option value="">all</option></select></label>' +
    '<output aria-live="polite"></output>';
  for (const family of new Set(entries.map((entry) => entry.family))) {
    form.elements.family.add(new Option(family, family));
  }
  const found = (query) => {
    if (!query) {
      return entries.map((entry, k) => ({ entry, rank: 0, place: k, hint: "" }));
    }
    const hits = entries.map((entry) => ({ entry, ...entry.rank(query) })).filter((hit) => hit.rank !== undefined);
    // Who types a whole name, or a keyword, wants what it stands for, and not every text that has the words in it.
    const best = Math.min(...hits.map((hit) => hit.rank));
    const kept = best < 4 ? hits.filter((hit) => hit.rank < 7) : hits;
    return kept.length
      ? kept.sort((a, b) => a.rank - b.rank || a.place - b.place)
      : entries.filter((entry) => entry.mentions(query)).map((entry) => ({ entry, rank: 8, place: 0, hint: "" }));
  };
  const show = () => {
    const words = form.elements.words.value;
    const family = form.elements.family.value;
    // Of torch.nn.HuberLoss the last name is what counts.
    const hits = found(plain(words.replace(/^\s*[\w.]+\.(?=\w+\s*$)/, ""))).filter((hit) => !family || hit.entry.family === family);
    for (const entry of entries) {
      entry.row.hidden = true;
      entry.hint.textContent = "";
    }
    for (const { entry, hint } of hits) {
      entry.row.hidden = false;
      entry.hint.textContent = hint;
      body.append(entry.row);
    }
    form.querySelector("output").textContent = `${hits.length} of ${entries.length} losses`;
    const address = new URL(location.href);
    for (const [name, value] of [["filter", words], ["family", family]]) {
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
  const asked = new URLSearchParams(location.search);
  form.elements.words.value = asked.get("filter") ?? "";
  form.elements.family.value = asked.get("family") ?? "";
  show();
}
