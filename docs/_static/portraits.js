// In a family portrait both curves of a loss come forward when one of them, or its name, is pointed at or focused.
document.querySelectorAll(".portrait").forEach((portrait) => {
  const light = (event, on) => {
    const link = event.target.closest("a");
    if (link) {
      portrait
        .querySelectorAll(`a[href="${link.getAttribute("href")}"]`)
        .forEach((other) => other.classList.toggle("forward", on));
    }
  };
  for (const [name, on] of [["pointerover", true], ["focusin", true], ["pointerout", false], ["focusout", false]]) {
    portrait.addEventListener(name, (event) => light(event, on));
  }
});
