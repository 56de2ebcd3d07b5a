// In a family portrait both curves of a loss come forward when one of them, or its name, is pointed at or focused. A first
// touch does that too; the second follows the link.
document.querySelectorAll(".portrait").forEach((portrait) => {
  const alike = (link) => portrait.querySelectorAll(`a[href="${link.getAttribute("href")}"]`);
  const light = (event, on) => {
    const link = event.target.closest("a");
    if (link) {
      alike(link).forEach((other) => other.classList.toggle("forward", on));
    }
  };
  for (const [name, on] of [["pointerover", true], ["focusin", true], ["pointerout", false], ["focusout", false]]) {
    portrait.addEventListener(name, (event) => {
      if (event.pointerType !== "touch") {
        light(event, on);
      }
    });
  }
  portrait.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (event.pointerType !== "touch" || !link || link.classList.contains("touched")) {
      return;
    }
    event.preventDefault();
    portrait.querySelectorAll(".forward, .touched").forEach((other) => other.classList.remove("forward", "touched"));
    alike(link).forEach((other) => other.classList.add("forward", "touched"));
  });
});
