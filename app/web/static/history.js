/* The cards of the history page: links, made of the reply in #found by textContent alone. Asks by pressing #look. */
(() => {
  "use strict";
  const PAUSE_MS = 350;
  const LOOK_EVERY_MS = 80;
  const byId = (id) => document.getElementById(id);
  const searchBox = () => document.querySelector("#box-search input, #box-search textarea");
  const cards = () => [...document.querySelectorAll("#case-list a")];

  let timer = 0;
  const ask = (after) => {
    clearTimeout(timer);
    timer = setTimeout(() => byId("look")?.click(), after);
  };
  /* A word that an input method is still composing is not yet a word. */
  document.addEventListener("input", (event) => {
    if (event.target === searchBox() && !event.isComposing) ask(PAUSE_MS);
  });
  document.addEventListener("compositionstart", (event) => {
    if (event.target === searchBox()) clearTimeout(timer);
  });
  document.addEventListener("compositionend", (event) => {
    if (event.target === searchBox()) ask(PAUSE_MS);
  });
  document.addEventListener("focusout", (event) => {
    const mine = document.querySelector('#filter-whose input[value="whose_mine"]')?.checked;
    if (mine && event.target.closest?.("#name")) ask(0);
  });

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    const box = searchBox();
    if (!box) return;
    if (event.key === "Enter" && event.target === box) {
      ask(0);
      box.focus(); /* desk.js has just left it, as it leaves every line that is done */
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const stops = [box, ...cards()];
    const here = stops.indexOf(event.target);
    if (!step || here < 0 || !stops[here + step]) return;
    event.preventDefault();
    stops[here + step].focus();
  }, true);

  /* The text with each term that stands in it marked. */
  const marked = (tag, kind, text, terms) => {
    const part = document.createElement(tag);
    part.className = kind;
    const words = terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const pieces = words.length ? text.split(new RegExp(`(${words.join("|")})`, "giu")) : [text];
    for (const [place, piece] of pieces.entries()) {
      const node = document.createElement(place % 2 ? "mark" : "span");
      node.textContent = piece;
      part.append(node);
    }
    return part;
  };
  const card = (found, terms) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = found.link;
    link.dataset.post = found.post;
    const facts = marked("span", "facts", found.facts.join("　"), []);
    const mark = marked("span", `state ${found.kind}`, found.mark, []);
    facts.append("　", mark);
    link.append(facts, marked("strong", "case-title", found.title, terms));
    if (found.excerpt) link.append(marked("span", "excerpt", found.excerpt, terms));
    item.append(link);
    return item;
  };

  /* What changes without a move of the reader is announced; and a group of choices has the name that stands above it. */
  const named = () => {
    byId("cases-note").setAttribute("role", "status");
  };

  let shown = "";
  const show = () => {
    const value = document.querySelector("#found textarea, #found input")?.value;
    const place = byId("cases");
    if (!value || !place || value === shown) return;
    shown = value;
    const { terms, before, cases } = JSON.parse(value);
    let list = byId("case-list");
    if (!list) {
      list = document.createElement("ul");
      list.id = "case-list";
      place.prepend(list);
      named();
    }
    const last = Number(cards().at(-1)?.dataset.post ?? 0);
    if (before && before !== last) return ask(0); /* a page that does not belong behind the one on screen */
    if (!before) {
      list.replaceChildren();
      place.scrollTop = 0;
    }
    const items = cases.map((found) => card(found, terms));
    list.append(...items);
    if (before) items[0]?.firstChild.focus({ preventScroll: true });
  };
  setInterval(show, LOOK_EVERY_MS);
})();
