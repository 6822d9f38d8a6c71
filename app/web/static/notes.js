/* The list of notes about the answer, one entry a sentence, with the words that it speaks of. A note is
   {kind, note, stale}; with `quote` it has a place in the text, unless that was typed into (`stale`). */
const made = (kind, name, text) => {
  const element = document.createElement(kind);
  element.className = name;
  element.textContent = text;
  return element;
};

/* Grouped by their sentence, what must be mended first. */
const rowsOf = (notes) => {
  const rows = new Map();
  for (const each of notes) {
    const row = rows.get(each.note) ?? { kind: each.kind, note: each.note, stale: true, places: [] };
    if ("quote" in each) row.places.push(each);
    row.stale &&= each.stale;
    rows.set(each.note, row);
  }
  const grave = (row) => row.kind === "block";
  return [...[...rows.values()].filter(grave), ...[...rows.values()].filter((row) => !grave(row))];
};

export class Notes {
  /* `choose(note)` shows the note's words in the text; `drop(notes)` puts them away. */
  constructor(choose, drop) {
    this.choose = choose;
    this.drop = drop;
    this.shown = "";
  }

  /* Groups are {name, words, notes}. Built anew only if something in it changed, so that the focus stays. */
  show(place, groups) {
    const full = groups.filter((group) => group.notes.length);
    const now = JSON.stringify(full);
    if (!place || (now === this.shown && Boolean(place.querySelector(".notes")) === Boolean(full.length))) return;
    this.shown = now;
    const before = place.querySelector(".notes");
    const scrolled = before?.scrollTop ?? 0;
    before?.remove();
    if (!full.length) return;
    const whole = made("div", "notes", "");
    whole.tabIndex = 0; /* so that keys can scroll it */
    whole.setAttribute("role", "group");
    whole.setAttribute("aria-label", full[0].words.label);
    for (const { name, words, notes } of full) {
      const list = made("ul", name, "");
      list.setAttribute("aria-label", words.label);
      list.append(...rowsOf(notes).map((row) => this.entry(row, words)));
      whole.append(list);
    }
    place.append(whole);
    whole.scrollTop = scrolled;
  }

  entry(row, words) {
    const item = made("li", row.stale ? `${row.kind} stale` : row.kind, "");
    const line = made("span", "line", "");
    if (row.kind === "block") line.append(made("span", "must", words.must));
    for (const each of row.places) {
      const quote = made("button", "quote", each.quote);
      quote.disabled = each.stale;
      quote.addEventListener("click", () => this.choose(each));
      line.append(quote);
    }
    line.append(row.note);
    item.append(line);
    if (row.kind === "warn") item.append(this.dropper(row, words));
    return item;
  }

  dropper(row, words) {
    const button = made("button", "drop", "×");
    button.setAttribute("aria-label", `${words.drop} ${row.places[0].quote}`);
    button.addEventListener("click", () => {
      const all = () => [...document.querySelectorAll(".notes .drop")];
      const place = all().indexOf(button);
      this.drop(row.places);
      const left = all();
      left[Math.min(place, left.length - 1)]?.focus();
    });
    return button;
  }
}
