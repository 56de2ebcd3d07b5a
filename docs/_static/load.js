// Loads scripts of this site one after the other, each once: by tags, which work from a file too, without a server.
const losslibLoad = (() => {
  const root = document.documentElement.dataset.content_root ?? "./";
  const started = new Map();
  const load = (name) => {
    if (!started.has(name)) {
      started.set(name, new Promise((done) => {
        const script = document.createElement("script");
        script.src = `${root}_static/${name}.js`;
        script.addEventListener("load", done);
        document.head.append(script);
      }));
    }
    return started.get(name);
  };
  return async (...names) => {
    for (const name of names) {
      await load(name);
    }
  };
})();

// What only some pages have.
for (const [needed, ...names] of [
  [".loss-slider", "slider"], [".loss-live", "live"], [".loss-boxes", "boxes"], [".portrait", "portraits"],
  [".loss-folded", "folded"], ["table.loss-catalogue", "finder", "catalogue"],
]) {
  if (document.querySelector(needed)) {
    losslibLoad(...names);
  }
}
