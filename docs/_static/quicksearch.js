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
  // Sections whose title, or that of their page, holds words of the query; those with most of them.
  const sections = (query) => {
    const words = plain(query).split(" ").filter((word) => word.length > 2);
    const scored = losslibPlaces.map(([title, page, address]) => {
      const [own, above] = [` ${plain(title)}`, ` ${plain(page)}`];
      const held = words.filter((word) => own.includes(` ${word.replace(/s$/, "")}`)).length;
      const around = words.filter((word) => above.includes(` ${word.replace(/s$/, "")}`)).length;
      return { title, page, address, held, score: held + 0.4 * around };
    }).filter((one) => one.held);
    const best = Math.max(0, ...scored.map((one) => one.score));
    return scored.filter((one) => one.score === best && best >= 0.5 * words.length).slice(0, 3);
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
