// Explain my loss: what a pasted name or call of another package means, and the call here.
(() => {
  const place = document.getElementById("loss-explain");
  if (!place) {
    return;
  }
  const escape = (words) => String(words).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
  const literal = (value) => {
    if (value === null) {
      return "None";
    }
    if (typeof value === "object") {
      return value.text;
    }
    return typeof value === "boolean" ? (value ? "True" : "False")
      : typeof value === "string" ? `"${value}"`
        : value === Infinity ? 'float("inf")' : String(value);
  };
  const call = (one) => {
    const usual = losslibMeanings[one.loss].defaults;
    const differ = one.given.filter(([name, value]) => JSON.stringify(usual[name]) !== JSON.stringify(value) &&
      (name in usual || value !== null)); // what PyTorch has given up is None
    const inputs = losslibMeanings[one.loss].inputs;
    const text = `losslib.${one.loss}(${[...inputs, ...differ.map(([name, value]) => `${name}=${literal(value)}`)].join(", ")})`;
    return one.factor === 1 ? text : `${one.factor} * ${text}`;
  };
  const item = (title, words) => (words ? `<dt>${title}</dt><dd>${words}</dd>` : "");
  const list = (texts) => (texts.length ? `<ul>${texts.map((text) => `<li>${escape(text)}</li>`).join("")}</ul>` : "");
  const card = (one) => {
    const head = one.binding ? `${one.binding.title}: ${one.binding.names[0]}` : "losslib";
    if (one.refused) {
      return `<section class="explained"><h2>${escape(head)}</h2><dl>${item("no exact counterpart", escape(one.refused))}</dl></section>`;
    }
    const meaning = losslibMeanings[one.loss];
    const exact = one.binding
      ? `losslib.get("${one.binding.package}:${one.binding.names[0]}"` +
        `${Object.entries(one.values).filter(([name, value]) =>
          JSON.stringify(one.binding.parameters.find((known) => known.name === name).default) !== JSON.stringify(value))
          .map(([name, value]) => `, ${name}=${literal(value)}`).join("")})`
      : "";
    const order = one.binding?.order ? `${one.binding.order} there, (${meaning.inputs.join(", ")}) here` : "";
    const reduction = one.given.find(([name]) => name === "reduction");
    const texts = meaning.reduction.split(/;\s*/);
    const said = reduction && texts.find((text) => text.toLowerCase().startsWith(`"${reduction[1]}"`));
    return `<section class="explained"><h2>${escape(head)}</h2><dl>` +
      item("means", `<a href="generated/${one.loss}.html">${escape(meaning.title)}</a>: ${escape(meaning.summary)}`) +
      item("here", one.computed ? "" : `<code>${escape(call(one))}</code>${one.frame.length ? ` with ${escape(one.frame.join(", "))}` : ""}`) +
      item(one.computed ? "here" : "the same object", exact && `<code>${escape(exact)}</code>`) +
      item("order of arguments", escape(order)) +
      item("divides by", said ? escape(said) : "") +
      item("mind", list([...one.notes, ...one.unknown.map((name) => `there is no parameter ${name} there`)])) +
      item("pitfalls", list(meaning.pitfalls)) + "</dl></section>";
  };
  place.innerHTML =
    '<form><label>Name or call <input name="text" autocomplete="off" spellcheck="false" ' +
    'placeholder="nn.SmoothL1Loss(beta=2)"></label><output aria-live="polite"></output></form>' +
    '<p class="explain-examples">For example: ' +
    ["nn.SmoothL1Loss(beta=2)", "reg:tweedie", "keras.losses.Huber(delta=2.0)", "reg:pseudohubererror", "F.cross_entropy(x, t, reduction='sum')", "Quantile:alpha=0.9"]
      .map((text) => `<button type="button">${escape(text)}</button>`).join(" ") + "</p><div></div>";
  const form = place.querySelector("form");
  const show = () => {
    const text = form.elements.text.value;
    const found = text.trim() ? losslibNames.explain(text) : [];
    place.lastElementChild.innerHTML = found.slice(0, 6).map(card).join("");
    form.querySelector("output").textContent = !text.trim() ? "" : found.length
      ? `${found.length} ${found.length === 1 ? "meaning" : "meanings"}` : "no loss of this name is known";
    const address = new URL(location.href);
    if (text) {
      address.searchParams.set("q", text);
    } else {
      address.searchParams.delete("q");
    }
    history.replaceState(null, "", address);
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  place.querySelector(".explain-examples").addEventListener("click", (event) => {
    if (event.target.matches("button")) {
      form.elements.text.value = event.target.textContent;
      show();
    }
  });
  form.elements.text.value = new URLSearchParams(location.search).get("q") ?? "";
  show();
})();
