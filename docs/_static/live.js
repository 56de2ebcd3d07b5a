// "Every parameter, live" on the page of a loss: the comparison with this loss in it, loaded when the part is opened.
document.querySelectorAll(".loss-live").forEach((place) => {
  const root = document.documentElement.dataset.content_root ?? "./";
  place.closest("details")?.addEventListener("toggle", async () => {
    await losslibLoad("dual", "losses", "curves", "compare");
    losslibCompare(place, { root, start: place.dataset.loss });
  }, { once: true });
});
