/* What the keyboard does, said on the buttons and on a sheet of its own. Never while an input method is composing: Enter
   then picks a candidate. */
(() => {
  "use strict";
  const { facts, byId, press } = window.desk;

  const KEYS = [
    ["Ctrl+Enter", "key_start"],
    ["Esc", "key_stop"],
    ["Ctrl+S", "key_save"],
    ["Ctrl+Enter", "key_approve"],
    ["Alt+1 … Alt+4", "key_layer"],
    ["Alt+0", "key_answer"],
    ["Alt+↑ Alt+↓", "key_candidate"],
    ["A R X E", "key_decide"],
    ["U", "key_undo"],
    ["C", "key_comment"],
    ["← →", "key_sentence"],
    ["F1", "key_sheet"],
  ];
  const HINTS = { start: "Ctrl+Enter", stop: "Esc", save: "Ctrl+S", approve: "Ctrl+Enter, A", return: "R", reject: "X", escalate: "E", undo: "U", keys: "F1" };

  const sheet = () => {
    let dialog = byId("key-sheet");
    if (!dialog) {
      dialog = document.createElement("dialog");
      dialog.id = "key-sheet";
      dialog.setAttribute("aria-label", facts.words.keys);
      const list = document.createElement("dl");
      for (const [keys, word] of KEYS) {
        const name = document.createElement("dt");
        const what = document.createElement("dd");
        name.textContent = keys;
        what.textContent = facts.words[word];
        list.append(name, what);
      }
      const close = document.createElement("button");
      close.textContent = facts.words.close;
      close.addEventListener("click", () => dialog.close());
      dialog.append(list, close);
      document.body.append(dialog);
    }
    dialog.open ? dialog.close() : dialog.showModal();
  };

  const toCandidate = (step) => {
    const all = [...document.querySelectorAll("#candidates input")].filter((one) => one.offsetParent);
    const next = all[all.findIndex((one) => one.checked) + step];
    next?.closest("label").click();
    return Boolean(next);
  };
  const toBox = (digit) => {
    const part = byId(digit === "0" ? "box-answer" : `box-L${digit}`)?.querySelector("textarea");
    part?.focus();
    return Boolean(part);
  };
  /* A box that is only read has no caret that keys move. From one sentence of a layer to another they do, so that its
     evidence is lit. */
  const sentences = new Intl.Segmenter(facts.lang, { granularity: "sentence" });
  const walk = (part, step) => {
    const begins = Array.from(sentences.segment(part.value), (sentence) => sentence.index);
    const here = begins.findLastIndex((begin) => begin < part.selectionStart);
    const next = begins[Math.max(0, Math.min(here + step, begins.length - 1))];
    if (next !== undefined) part.setSelectionRange(next + 1, next + 1);
    return true;
  };

  document.addEventListener("keydown", (event) => {
    const inInput = event.key === "Enter" && event.target.tagName === "INPUT";
    if (event.isComposing || event.keyCode === 229) {
      if (inInput) event.stopPropagation(); /* gradio would take the candidate's Enter for a finished line */
      return;
    }
    if (byId("key-sheet")?.open && event.key !== "F1") return;
    const main = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (main && event.target.closest?.(".maker")) return; /* a comment is added, nothing is decided */
    const saving = event.key.toLowerCase() === "s" && (event.ctrlKey || event.metaKey);
    const digit = event.altKey && event.code.match(/^Digit([0-4])$/)?.[1];
    const step = event.altKey && { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const reads = event.target.readOnly && event.target.closest(".reviewing .layer");
    const onward = reads && { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "F1") {
      event.preventDefault();
      sheet();
    } else if (digit ? toBox(digit) : onward ? walk(event.target, onward) : step && toCandidate(step)) {
      event.preventDefault();
    } else if (saving || main || (event.key === "Escape" && byId("stop"))) {
      event.preventDefault();
      event.stopPropagation();
      if (event.key === "Escape") press("stop");
      else if (saving || event.target.closest?.(".edit")) press("save");
      else if (!event.target.closest?.("#box-reason")) press("approve") || press("start");
    } else if (inInput) {
      event.stopPropagation();
      event.target.blur();
    } else if (event.key === "Enter" && event.shiftKey && event.target.tagName === "TEXTAREA") {
      event.stopPropagation(); /* a new line, not gradio's submit */
    }
  }, true);

  const name = (button, said) => {
    if (button.title === said) return;
    button.title = said;
    button.setAttribute("aria-label", `${button.closest(".layer, .head")?.querySelector(".title")?.textContent ?? ""}: ${said}`);
  };
  const hint = () => {
    const last = document.querySelector("#brand a.language");
    if (last && !byId("keys")) {
      const button = document.createElement("button");
      button.id = "keys";
      button.textContent = facts.words.keys;
      button.addEventListener("click", sheet);
      last.after(button);
    }
    for (const [id, keys] of Object.entries(HINTS)) if (byId(id)) byId(id).title = keys;
    for (const kind of ["onward", "alone"]) {
      for (const button of document.querySelectorAll(`[id^=${kind}-]`)) name(button, facts.words[`hint_${kind}`]);
    }
    for (const group of document.querySelectorAll("fieldset:not([aria-label])")) { /* gradio gives them no name */
      const label = group.querySelector('[data-testid="block-info"]');
      if (label) group.setAttribute("aria-label", label.textContent.trim());
    }
    /* Gradio names every choice by itself, and twice the same: Tab stops at each, arrow keys lead nowhere. */
    for (const choice of document.querySelectorAll("fieldset [type=radio]")) {
      const group = choice.closest("[id]").id;
      if (choice.name !== group) choice.name = group;
    }
    for (const part of document.querySelectorAll(".scroll:not([role])")) {
      const title = part.closest(".pane").querySelector('.title, [data-testid="block-info"]');
      if (!title) continue; /* not there yet */
      part.tabIndex = 0; /* so that keys can scroll it */
      part.setAttribute("role", "group");
      part.setAttribute("aria-label", title.textContent.trim());
    }
    for (const fold of document.querySelectorAll(".label-wrap")) fold.setAttribute("aria-expanded", fold.classList.contains("open"));
    document.querySelector("#brand a.here")?.setAttribute("aria-current", "page");
    /* A disabled box can be neither come to nor scrolled by keys: what a reviewer reads is not disabled, but read only. */
    for (const part of document.querySelectorAll(".reviewing .box:not(#box-reason) textarea:disabled")) {
      part.readOnly = true;
      part.disabled = false;
    }
  };
  setInterval(hint, 400);
})();
