// The search box of every page (Ctrl+K) shows losses while one types, from the index of the catalogue, which is loaded
// when the first letter is typed. Enter searches all pages, as before.
(() => {
  const root = document.documentElement.dataset.content_root ?? "./";
  let loading = null;
  const load = () => {
    loading ??= new Promise((done) => {
      const script = document.createElement("script");
      script.src = `${root}_static/search.js`;
      script.addEventListener("load", () => done(losslibFinder(losslibIndex)));
      document.head.append(script);
    });
    return loading;
  };
  document.querySelectorAll("form.bd-search").forEach((form) => {
    const input = form.querySelector('input[type="search"]');
    if (!input) {
      return;
    }
    const list = document.createElement("ul");
    list.className = "quick-hits";
    list.setAttribute("aria-label", "Losses");
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
      list.replaceChildren(...find(words).slice(0, 8).map(({ entry, hint }) => {
        const [item, link] = [document.createElement("li"), document.createElement("a")];
        link.href = `${root}generated/${entry.data.name}.html`;
        link.textContent = entry.data.title;
        item.append(link, hint ? ` ${hint}` : "");
        return item;
      }));
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
