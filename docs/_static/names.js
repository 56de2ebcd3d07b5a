// Reads the name or the call of a loss of another package and says what it is here, from the bindings of the registry.
const losslibNames = (() => {
  const same = (a, b) => a === b || (typeof a === "number" && typeof b === "number" && a === b) ||
    (a !== null && typeof a === "object" && JSON.stringify(a) === JSON.stringify(b));
  const among = (value, values) => values.some((one) => same(value, one));

  // A literal of Python as a value; what is none is a name, such as an array.
  const value = (text) => {
    const words = { True: true, False: false, None: null };
    if (text in words) {
      return words[text];
    }
    const quoted = text.match(/^(['"])(.*)\1$/);
    if (quoted) {
      return quoted[2];
    }
    const number = text === "" ? NaN : Number(text.replace(/^([-+]?)(?:float\(['"])?inf(?:['"]\))?$/, "$1Infinity"));
    return Number.isNaN(number) ? { text } : number;
  };

  // Split at commas outside of brackets and quotes.
  const split = (text) => {
    const found = [""];
    let [depth, quote] = [0, ""];
    for (const letter of text) {
      if (quote) {
        quote = letter === quote ? "" : quote;
      } else if (letter === "'" || letter === '"') {
        quote = letter;
      } else if ("([{".includes(letter)) {
        depth += 1;
      } else if (")]}".includes(letter)) {
        depth -= 1;
      }
      if (letter === "," && depth === 0 && !quote) {
        found.push("");
      } else {
        found[found.length - 1] += letter;
      }
    }
    return found.map((part) => part.trim()).filter(Boolean);
  };

  // Name and keywords of a call; of a class that is made and called, those of the class. CatBoost writes Huber:delta=2.
  const parse = (text) => {
    const line = text.trim().replace(/^(import .*|.*=\s*(?=[\w.]+\())/, "").replace(/^['"]|['"]$/g, "");
    const open = line.indexOf("(");
    let [name, inside] = [line, ""];
    if (open >= 0) {
      let depth = 0;
      let end = line.length;
      for (let k = open; k < line.length; k += 1) {
        depth += line[k] === "(" ? 1 : line[k] === ")" ? -1 : 0;
        if (depth === 0) {
          end = k;
          break;
        }
      }
      [name, inside] = [line.slice(0, open), line.slice(open + 1, end)];
    } else {
      const short = line.match(/^(\w+):((?:\w+=[^;:,]+[;,]?)+)$/);
      if (short) {
        [name, inside] = [short[1], short[2].replace(/;/g, ",")];
      }
    }
    const given = split(inside).map((part) => part.match(/^(\w+)\s*=\s*([^=].*)$/)).filter(Boolean);
    return { name: name.trim(), given: Object.fromEntries(given.map(([, key, text_]) => [key, value(text_)])) };
  };

  const bind = (binding, given) => {
    const known = binding.parameters.map((item) => item.name);
    const unknown = Object.keys(given).filter((name) => !known.includes(name));
    const values = Object.fromEntries(binding.parameters.map((item) => [item.name, given[item.name] ?? (item.name in given ? null : item.default)]));
    const found = { binding, values, unknown, given: [], notes: [] };
    const refuse = (reason) => ({ ...found, refused: reason });
    const missing = binding.parameters.filter((item) => item.required && !(item.name in given));
    if (missing.length) {
      return refuse(`it needs ${missing.map((item) => item.name).join(", ")}, which has no default there`);
    }
    for (const item of binding.parameters) {
      if (item.kind === "only" && !among(values[item.name], item.values)) {
        return refuse(item.reason);
      }
    }
    const chosen = binding.cases.find((one) => one.when.every(([name, wanted]) => same(values[name], wanted)));
    if (!chosen || chosen.refused) {
      return refuse(chosen ? chosen.refused : "it takes no such value");
    }
    let { reduction } = chosen;
    for (const item of binding.parameters.filter((one) => one.kind === "reduces")) {
      const word = item.words.find(([there]) => same(there, values[item.name]));
      if (!word || word[1].startsWith("!")) {
        return refuse(word ? word[1].slice(1) : `it takes no such ${item.name}`);
      }
      [, reduction] = word;
    }
    const pairs = new Map(chosen.sets);
    for (const item of binding.parameters) {
      if (item.kind === "takes" && !chosen.without.includes(item.name)) {
        const ours = chosen.renames[item.name] ?? item.to;
        if (!item.converts) {
          pairs.set(ours, values[item.name]);
        } else if (item.name in given) {
          found.notes.push(`${item.name}: ${item.text}`);
        }
      }
    }
    found.notes.push(...[chosen.note].filter(Boolean));
    found.computed = chosen.computed && binding.parameters.some((item) => item.name in given && !same(given[item.name], item.default));
    return { ...found, loss: chosen.loss, given: [...pairs, ["reduction", reduction]], factor: chosen.factor, frame: chosen.frame };
  };

  // All that a text may be, the best first: the name as it is in a package that the text names, then in the others.
  const explain = (text) => {
    const { name, given } = parse(text);
    const head = name.match(/^(\w[\w-]*):(?=\S)/);
    const synonyms = { tensorflow: "tf", pytorch: "torch", xgb: "xgboost", lgb: "lightgbm", segmentation_models_pytorch: "smp" };
    const key = head && (synonyms[head[1]] ?? head[1]);
    const hits = [];
    for (const binding of losslibBindings) {
      const table = losslibPackages[binding.package];
      const bare = key === binding.package ? name.slice(head[0].length) : name;
      const stripped = ["", ...table.prefixes].filter((prefix) => bare.startsWith(prefix)).map((prefix) => bare.slice(prefix.length));
      const last = bare.split(".").pop();
      const exact = binding.names.some((one) => stripped.includes(one));
      const loose = binding.names.some((one) => one.split(".").pop().toLowerCase() === last.toLowerCase());
      if (exact || loose) {
        const modules = stripped.some((one) => one !== bare && binding.names.includes(one));
        const rank = key === binding.package ? (exact ? 0 : 0.5) : modules ? 1 : exact ? 3 : 5;
        hits.push({ rank, found: bind(binding, given) });
      }
    }
    const own = name.split(".").pop().toLowerCase();
    for (const [loss, meaning] of Object.entries(losslibMeanings)) {
      if (meaning.names.some((one) => one.toLowerCase() === own || one.toLowerCase() === name.toLowerCase())) {
        const pairs = Object.entries(given).filter(([item]) => item in meaning.defaults);
        hits.push({ rank: name.includes(".") ? 4 : 2, found: { loss, given: pairs, notes: [], frame: [], factor: 1, unknown: [] } });
      }
    }
    return hits.sort((a, b) => a.rank - b.rank).map((hit) => hit.found);
  };

  return { explain, parse };
})();
