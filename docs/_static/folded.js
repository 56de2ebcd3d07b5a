// A link to a folded part opens it; browsers do so by themselves only for what lies inside.
const unfold = () => {
  const name = decodeURIComponent(location.hash.slice(1));
  const target = name && document.getElementById(name);
  const details = target && (target.closest("details") ?? target.querySelector("details"));
  if (details && details.matches(".loss-folded, .loss-folded details")) {
    details.open = true;
    target.scrollIntoView();
  }
};
window.addEventListener("hashchange", unfold);
unfold();
