// The search box of every page (Ctrl+K) answers while one types: losses from the index of the catalogue, what a pasted
// call means, and sections of the other pages. The index is loaded when the first letter is typed. Enter searches all
// pages, as before.
(() => {
  const root = document.documentElement.dataset.content_root ?? "./";
  const plain = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
  let finder = null;
  const load = async () => {
    await losslibLoad("finder", "search", "places");
    finder ??= losslibFinder(losslibIndex);
    return finder;
  };
  // Sections that hold most words of the query: in their title, in that of their page, in the text; rare words count more.
  const sections = (query) => {
    const words = plain(query).split(" ").filter((word) => word.length > 2 && !losslibFinder.EMPTY.has(word));
    const stems = words.map((word) => ` ${word.replace(/(es|s)$/, "")}`);
    const texts = losslibPlaces.map((one) => one.slice(0, 4).map((text) => ` ${plain(text)}`));
    const weights = stems.map((stem) =>
      Math.log(1 + texts.length / (1 + texts.filter((parts) => parts[0].includes(stem) || parts[3].includes(stem)).length)));
    const whole = weights.reduce((sum, weight) => sum + weight, 0);
    return losslibPlaces.map(([title, page, address], k) => {
      const [own, above, , text] = texts[k];
      const score = stems.reduce((sum, stem, n) => sum + weights[n] *
        (own.includes(stem) ? 1.5 : text.includes(stem) ? 1 : above.includes(stem) ? 0.5 : 0), 0);
      // A long text holds many words by chance.
      return { title, page, address, score, rank: score / (3 + Math.log(2 + text.length)) };
    }).filter((one) => one.score >= 0.75 * whole && whole > 0).sort((a, b) => b.rank - a.rank).slice(0, 4);
  };
  const entry = (address, title, words) => {
    const [item, link] = [document.createElement("li"), document.createElement("a")];
    link.href = root + address;
    link.textContent = title;
    item.append(link);
    for (const text of words.filter(Boolean)) {
      const small = document.createElement("small");
      small.textContent = text;
      item.append(" ", small);
    }
    return item;
  };
  document.querySelectorAll("form.bd-search").forEach((form) => {
    const input = form.querySelector('input[type="search"]');
    if (!input) {
      return;
    }
    const list = document.createElement("ul");
    list.className = "quick-hits";
    list.setAttribute("aria-label", "Losses and sections");
    form.after(list);
    const show = async () => {
      const words = input.value;
      if (words.trim().length < 2) {
        list.replaceChildren();
        return;
      }
      const find = await load();
      if (words !== input.value) {
        return;
      }
      const call = /[(:.]\S|\(/.test(words)
        ? [entry(`explain.html?q=${encodeURIComponent(words)}`, "Explain this call", ["meaning, denominator, the call here"])]
        : [];
      const hits = find(words).slice(0, 8).map(({ entry: { data }, hint }) =>
        entry(`generated/${data.name}.html`, data.title, [hint, data.facts]));
      const found = sections(words).map(({ title, page, address }) => entry(address, title, [page === title ? "" : page]));
      list.replaceChildren(...call, ...hits, ...found);
    };
    input.addEventListener("input", show);
    input.addEventListener("keydown", (event) => {
      const first = list.querySelector("a");
      if (event.key === "ArrowDown" && first) {
        event.preventDefault();
        first.focus();
      }
    });
    list.addEventListener("keydown", (event) => {
      const links = [...list.querySelectorAll("a")];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        (links[links.indexOf(document.activeElement) + step] ?? input).focus();
      }
    });
  });
})();
