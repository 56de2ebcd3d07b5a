// Finds losses by words: by name, by the names that they have elsewhere, by keywords and by text, in this order; exact
// names come first. The filter of the catalogue and the search box of every page ask it.
const losslibFinder = (() => {
  const plain = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
  const camel = (text) => text.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/([A-Z])([A-Z][a-z])/g, "$1 $2");

  // Words of the query in a row at the start of words of the text: the last one may be unfinished.
  const holds = (text, query) => ` ${text}`.includes(` ${query}`);

  class Entry {
    constructor(data) {
      this.data = data;
      this.names = [...new Set([data.name, data.title, data.name.replace(/_loss$/, "")].map(plain))];
      this.aliases = data.aliases.flatMap((alias) => [
        [plain(alias), alias],
        [plain(camel(alias)), alias],
        [plain(alias.split(/[.]/).pop()), alias],
      ]);
      this.keywords = Object.entries(data.keywords).map(([word, place]) => [plain(word), word, place]);
      this.text = plain(data.text);
      this.asked = plain(data.asked.join(" "));
    }

    // Every word that the loss is known by.
    words() {
      const all = [...this.names, ...this.aliases.map(([text]) => text), ...this.keywords.map(([text]) => text)];
      return new Set([...all, this.text, this.asked].join(" ").split(" "));
    }

    // How well the loss answers, as numbers of which smaller is better, with what to say about it; null if it does not.
    rank(query) {
      for (const [kind, fits] of [[0, (text) => text === query], [4, (text) => holds(text, query)]]) {
        if (this.names.some(fits)) {
          return { rank: kind, place: 0, hint: "" };
        }
        const alias = this.aliases.find(([text]) => fits(text));
        if (alias) {
          return { rank: kind + 1, place: 0, hint: alias[1] };
        }
        const keyword = this.keywords.find(([text]) => fits(text));
        if (keyword) {
          return { rank: kind + 2, place: keyword[2], hint: keyword[1] };
        }
      }
      return holds(this.text, query) ? { rank: 7, place: 0, hint: "" } : null;
    }

    // Every word somewhere, for queries that no loss holds as they are.
    mentions(query) {
      const all = [...this.names, ...this.aliases.map(([text]) => text), ...this.keywords.map(([text]) => text), this.text];
      return query.split(" ").every((word) => all.some((text) => holds(text, word)));
    }
  }

  // Words of questions that say nothing about the answer.
  const EMPTY = new Set(("a all an and any are as at be by can do does for from here how i in is it loss losses many much my no of on " +
    "or should some such that the there this to too use what which when with").split(" "));

  // Losses that hold most of the words of a question, rare words counting more.
  const answers = (entries, query) => {
    const known = entries.map((entry) => [...entry.words()]);
    const meant = entries.map((entry) => entry.asked.split(" "));
    const asked = query.split(" ").filter((word) => word && !EMPTY.has(word)).map((word) => {
      const stem = word.length > 3 ? word.replace(/s$/, "") : word;
      const held = known.map((words, k) => (meant[k].includes(word) ? 1.1 : words.includes(word) ? 1 :
        words.some((one) => one.startsWith(stem)) ? 0.8 : 0));
      const count = held.filter(Boolean).length;
      return { held, weight: count ? Math.log(1 + entries.length / count) : 0 };
    });
    const scores = entries.map((_, k) => asked.reduce((sum, { held, weight }) => sum + held[k] * weight, 0));
    const best = Math.max(...scores);
    return best > 0
      ? entries.map((entry, k) => ({ entry, rank: 9, place: -scores[k], hint: "" })).filter((hit) => -hit.place > 0.7 * best)
        .sort((a, b) => a.place - b.place)
      : [];
  };

  // Returns a function from words to hits, the best first: { entry, rank, place, hint }, with the data in entry.data.
  const finder = (data) => {
    const entries = data.map((item) => new Entry(item));
    return (words) => {
      // Of torch.nn.HuberLoss(delta=2) the last name is what counts.
      const called = words.replace(/^(\s*[\w.:]*\w)\s*\(.*$/s, "$1");
      const query = plain(called.replace(/^\s*[\w.]+\.(?=\w+\s*$)/, ""));
      if (!query) {
        return entries.map((entry, place) => ({ entry, rank: 0, place, hint: "" }));
      }
      const hits = entries.map((entry) => ({ entry, ...entry.rank(query) })).filter((hit) => hit.rank !== undefined);
      // Who types a whole name, or a keyword, wants what it stands for, and not every text that has the words in it.
      const best = Math.min(...hits.map((hit) => hit.rank));
      const kept = best < 4 ? hits.filter((hit) => hit.rank < 7) : hits;
      if (kept.length) {
        return kept.sort((a, b) => a.rank - b.rank || a.place - b.place);
      }
      const mentioned = entries.filter((entry) => entry.mentions(query)).map((entry) => ({ entry, rank: 8, place: 0, hint: "" }));
      return mentioned.length ? mentioned : answers(entries, query);
    };
  };
  finder.EMPTY = EMPTY;
  return finder;
})();
