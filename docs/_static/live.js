// "Every parameter, live" on the page of a loss: the comparison with this loss in it, loaded when the part is opened.
document.querySelectorAll(".loss-live").forEach((place) => {
  const root = document.documentElement.dataset.content_root ?? "./";
  const details = place.closest("details");
  const load = async () => {
    for (const name of ["dual", "losses", "curves", "compare"]) {
      await new Promise((done) => {
        const script = document.createElement("script");
        script.src = `${root}_static/${name}.js`;
        script.addEventListener("load", done);
        document.head.append(script);
      });
    }
    losslibCompare(place, { root, start: place.dataset.loss });
  };
  details?.addEventListener("toggle", load, { once: true });
});
