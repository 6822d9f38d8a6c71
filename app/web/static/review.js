/* The reviewing page: comments on sections and their words, what is kept while somebody weighs, one key a decision, and
   the seconds in which it can be taken back. Text is only ever set as text. */
(() => {
  "use strict";
  const { facts, byId, press } = window.desk;
  const words = facts.words;
  const PAUSE_MS = 1000;
  const UNDO_MS = 10000;
  const reviewing = () => document.querySelector("#columns.reviewing");
  const hidden = (id) => document.querySelector(`#${id} textarea, #${id} input`);
  const node = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const read = (id) => {
    try { return JSON.parse(hidden(id)?.value || "[]"); } catch { return []; }
  };
  const editable = () => byId("approve") && !byId("approve").disabled;

  /* What was said so far is handed to the desk after a pause, and before anything else opens. */
  let timer = 0;
  const keep = () => {
    if (!timer) return;
    clearTimeout(timer);
    timer = 0;
    press("keep") || byId("keep")?.click();
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(keep, PAUSE_MS);
  };
  const FORM = "#ratings, #reason-codes, #box-reason, [id^=verdict-]";
  document.addEventListener("input", (event) => { if (event.target.closest?.(FORM)) later(); }, true);
  document.addEventListener("change", (event) => { if (event.target.closest?.(FORM)) later(); }, true);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#queue label, #refresh, #undo, #brand a")) keep();
  }, true);
  document.addEventListener("visibilitychange", () => { if (document.hidden) keep(); });

  /* Comments live in a hidden box as JSON; the list and the maker are made from it. */
  const write = (list) => {
    const box = hidden("comments");
    const set = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box), "value").set;
    set.call(box, JSON.stringify(list));
    box.dispatchEvent(new Event("input", { bubbles: true }));
    later();
  };
  let quoted = { section: "answer", quote: "" };
  let drawn = "";

  const line = (comment, drop) => {
    const item = node("li");
    item.append(node("b", "", facts.sections[comment.section]));
    if (comment.quote) item.append(node("q", "", comment.quote));
    item.append(node("span", "", comment.text));
    if (drop) {
      const button = node("button", "drop", "×");
      button.title = words.comment_drop;
      button.setAttribute("aria-label", `${words.comment_drop}: ${comment.text}`);
      button.addEventListener("click", drop);
      item.append(button);
    }
    return item;
  };
  const maker = () => {
    const form = node("div", "maker");
    const where = node("select");
    where.setAttribute("aria-label", words.comment_on);
    for (const [name, said] of Object.entries(facts.sections)) {
      const option = node("option", "", said);
      option.value = name;
      option.selected = name === quoted.section;
      where.append(option);
    }
    where.addEventListener("change", () => { quoted = { section: where.value, quote: "" }; draw(true); });
    const text = node("textarea");
    text.rows = 2;
    text.maxLength = 2000;
    text.placeholder = words.comment_text;
    text.setAttribute("aria-label", words.comment_text);
    text.value = byId("comment-text")?.value ?? "";
    text.id = "comment-text";
    const add = node("button", "add", words.comment_add);
    add.id = "comment-add";
    const put = () => {
      if (!text.value.trim()) return text.focus();
      write([...read("comments"), { ...quoted, text: text.value.trim() }]);
      text.value = "";
      quoted = { ...quoted, quote: "" };
      draw(true);
      byId("comment-text").focus();
    };
    add.addEventListener("click", put);
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
        event.preventDefault();
        event.stopPropagation();
        put();
      }
    });
    form.append(where, quoted.quote ? node("q", "", quoted.quote) : node("i", "", words.comment_whole), text, add);
    return form;
  };
  const draw = (force = false) => {
    const view = byId("comments-view");
    if (!view) return;
    const state = `${hidden("comments")?.value}|${hidden("earlier")?.value}|${editable()}`;
    if (!force && state === drawn && view.querySelector(".comments")) return;
    drawn = state;
    const all = node("div", "comments");
    for (const review of read("earlier")) {
      all.append(node("h4", "", review.head));
      for (const said of review.said) all.append(node("p", "", said));
    }
    const mine = read("comments");
    if (!mine.length && editable()) all.append(node("p", "quiet", words.comments_none));
    const list = node("ul");
    mine.forEach((comment, index) => {
      list.append(line(comment, editable() && (() => { write(mine.toSpliced(index, 1)); draw(true); })));
    });
    all.append(list);
    if (editable()) all.append(maker());
    view.querySelector(".comments")?.remove();
    view.append(all);
    const count = mine.length + read("earlier").length;
    const title = document.querySelector('#view input[value="comments"]')?.nextElementSibling;
    if (title) title.dataset.count = count || "";
  };
  const comment = () => {
    const part = document.activeElement;
    const section = part?.closest?.("[id^=box-]")?.id.slice(4);
    const chosen = facts.sections[section] && part.value.slice(part.selectionStart, part.selectionEnd).trim();
    if (facts.sections[section]) quoted = { section, quote: chosen || "" };
    document.querySelector('#view input[value="comments"]')?.click();
    draw(true);
    byId("comment-text")?.focus();
    return true;
  };

  /* One key decides, where no text is being typed. What needs a reason asks for it. */
  const KEYS = { a: "approve", r: "return", x: "reject", e: "escalate" };
  document.addEventListener("keydown", (event) => {
    if (!reviewing() || event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (byId("key-sheet")?.open) return;
    const part = event.target;
    if (/^(INPUT|SELECT)$/.test(part.tagName) && !/^(radio|checkbox)$/.test(part.type)) return;
    if (part.tagName === "TEXTAREA" && !part.readOnly) return;
    const key = event.key.toLowerCase();
    const done = key === "u" ? press("undo") : key === "c" ? editable() && comment() : KEYS[key] && decide(KEYS[key]);
    if (done) event.preventDefault();
  });
  const decide = (decision) => {
    const reason = document.querySelector("#box-reason textarea");
    if (decision !== "approve" && editable() && !reason.value.trim()) {
      reason.focus();
      return true;
    }
    return press(decision);
  };

  let counted = "";
  const undoing = () => {
    const button = byId("undo");
    if (!button || button.textContent === counted) return;
    counted = button.textContent;
    button.classList.remove("over");
    clearTimeout(undoing.timer);
    undoing.timer = setTimeout(() => { button.classList.add("over"); counted = ""; }, UNDO_MS);
  };
  setInterval(() => {
    if (!reviewing()) return;
    draw();
    undoing();
  }, 300);
})();
