// Which loss? Three questions, each with the answers that the ones before leave; kept in the address.
(() => {
  const place = document.getElementById("loss-chooser");
  if (!place) {
    return;
  }
  const questions = [["door", "What is the target?"], ["group", "What is it like?"], ["wish", "What is wanted?"]];
  place.innerHTML = `<form>${questions.map(([name, text]) =>
    `<label>${text} <select name="${name}"></select></label>`).join("")}</form><ul aria-live="polite"></ul>`;
  const form = place.querySelector("form");
  const list = place.querySelector("ul");
  const asked = new URLSearchParams(location.search);
  form.addEventListener("submit", (event) => event.preventDefault());
  const left = (upto) => losslibChoices.filter((leaf) =>
    questions.slice(0, upto).every(([name]) => leaf[name] === form.elements[name].value));
  const show = (from) => {
    questions.forEach(([name], k) => {
      if (k < from) {
        return;
      }
      const select = form.elements[name];
      const before = select.value || asked.get(name);
      const answers = [...new Set(left(k).map((leaf) => leaf[name]))];
      select.replaceChildren(...answers.map((answer) => new Option(answer, answer)));
      select.value = answers.includes(before) ? before : answers[0];
      select.parentElement.hidden = answers.length < 2;
    });
    const leaves = left(3);
    const items = leaves.flatMap((leaf) => leaf.losses).map(([name, title, reason]) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `generated/${name}.html`;
      link.textContent = title;
      item.append(link, `: ${reason}`);
      return item;
    });
    const together = leaves.flatMap((leaf) => leaf.compare);
    if (together.length > 1) {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `compare.html?l=${together.join(",")}`;
      link.textContent = "Compare them";
      item.append(link, ": curves and facts, side by side");
      items.push(item);
    }
    list.replaceChildren(...items);
  };
  form.addEventListener("change", (event) => {
    show(questions.findIndex(([name]) => name === event.target.name) + 1);
    const address = new URL(location.href);
    for (const [name] of questions) {
      address.searchParams.set(name, form.elements[name].value);
    }
    history.replaceState(null, "", address);
  });
  show(0);
})();
