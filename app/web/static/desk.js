/* Autosave, leave guard, address and counts; keys.js and marks.js use what it gives them in `window.desk`.
   Reads text boxes, writes numbers and fixed words; never sends anything. */
(() => {
  "use strict";
  const facts = JSON.parse(document.querySelector('meta[name="desk"]').content);
  const byId = (id) => document.getElementById(id);
  const box = (name) => document.querySelector(`#box-${name} textarea, #box-${name} input`);
  const press = (id) => {
    const button = byId(id);
    if (!button || button.disabled || !button.offsetParent) return false;
    button.click();
    return true;
  };
  document.documentElement.lang = facts.lang;
  window.desk = { facts, byId, box, press };

  /* What cannot be told in a reply of the desk: it never came. Stands over the status line until a save succeeds. */
  const notice = (sentence) => {
    let line = byId("notice");
    if (!line) {
      line = document.createElement("div");
      line.id = "notice";
      line.setAttribute("role", "alert");
      document.body.append(line);
    }
    if (line.textContent !== sentence) line.textContent = sentence;
  };
  const fill = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const length = (text) => [...text].length; /* as the desk counts: in characters, not in UTF-16 units */

  /* Saving: a pause or leaving a box saves; the stamp in the reply tells whether it worked.
     One save is under way at a time. Every click that hands the text on or puts another draft into the boxes waits for
     it, and saves first what is unsaved: so no reply finds another draft in the boxes, and no save of this page meets
     an older one of its own. */
  const PAUSE_MS = 1200;
  const PATIENCE_MS = 15000;
  const RETRY_MS = 5000;
  const TOUCH_MS = 60;
  const SAVES = "#save, #submit, #keep-mine";
  const LEAVES =
    "#new, #start, #recent label, #parts label, #take-theirs, #candidates label, #aim label, .redraft, .steers button, " +
    "[id^=source-] label, #versions label";
  let timer = 0;
  let typed = 0; /* counts edits: a stamp for an older text does not call the newer one saved */
  let dirty = false;
  let flight = null; /* the save under way: how far `typed` was, and the end of patience */
  let held = null; /* what was clicked meanwhile */
  let passing = false;

  const unsaved = (sentence) => {
    const stamp = byId("stamp");
    if (!stamp) return;
    let line = byId("unsaved-note");
    if (!line) {
      line = document.createElement("p");
      line.id = "unsaved-note";
      stamp.append(line);
    }
    if (line.textContent !== sentence) line.textContent = sentence;
  };
  const markUnsaved = (after = PAUSE_MS) => {
    dirty = true;
    document.body.classList.add("unsaved");
    unsaved(facts.words.unsaved);
    clearTimeout(timer);
    timer = setTimeout(save, after);
  };
  const edited = (after) => {
    typed += 1;
    markUnsaved(after);
  };
  const settle = () => {
    clearTimeout(timer);
    dirty = false;
    document.body.classList.remove("unsaved");
  };
  const save = () => {
    clearTimeout(timer);
    /* While two versions stand side by side, the person decides. */
    if (dirty && !flight && !byId("conflict")?.offsetParent) press("save");
  };
  /* While a text is handed to a reviewer it holds still: what were typed now would be in no version. */
  const still = (yes) => { for (const part of document.querySelectorAll(".edit textarea")) part.readOnly = yes; };
  const depart = (submits) => {
    clearTimeout(timer);
    flight = { typed, patience: setTimeout(lost, PATIENCE_MS) };
    if (submits) still(true);
  };
  const land = (stored, again = 0) => {
    if (!flight) return;
    const current = flight.typed === typed;
    clearTimeout(flight.patience);
    flight = null;
    still(false);
    if (stored) notice("");
    if (stored && current) settle();
    else if (dirty && (again || !current)) markUnsaved(again || PAUSE_MS);
    const next = held;
    held = null;
    if (!next?.isConnected) return;
    const leaves = next.matches(LEAVES);
    if (dirty && leaves && stored) return hold(next); /* typed on meanwhile: that too first */
    if (dirty && leaves && next.id !== "take-theirs" && !confirm(facts.words.leave_unsaved)) return;
    if (!stored && !leaves) return;
    if (leaves) settle();
    passing = true;
    next.click();
    passing = false;
  };
  const hold = (target) => {
    held = target;
    if (flight) return;
    press("save");
    if (flight) return;
    flight = { typed, patience: 0 }; /* it cannot even be sent: ask at once */
    land(false);
  };
  const lost = () => {
    notice(dirty || flight ? facts.words.desk_unreachable : facts.words.lost);
    land(false, RETRY_MS);
  };

  const tooLong = (target) => {
    if (target.matches("#start")) {
      const chars = length(box("description").value) + length(box("title").value);
      if (chars <= facts.limit) return false;
      notice(fill(facts.errors.post_too_long_chars, { chars, limit: facts.limit }));
      return true;
    }
    for (const [name, section] of Object.entries(target.matches(SAVES) ? facts.sections : {})) {
      const chars = length(box(name)?.value ?? "");
      if (chars <= facts.sectionLimit) continue;
      unsaved(fill(facts.errors.text_too_long, { section, chars, limit: facts.sectionLimit }));
      return true;
    }
    return false;
  };
  document.addEventListener("click", (event) => {
    const target = event.target.closest?.(`${SAVES}, ${LEAVES}`);
    if (!target) return;
    const leaves = target.matches(LEAVES);
    const waits = !passing && (flight || (leaves && dirty));
    if (waits || tooLong(target)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!waits || target.id === "save") return; /* a save that ends over newer text is followed by another anyway */
      return hold(target);
    }
    if (target.id === "start") {
      clearTimeout(glance);
      notice("");
    }
    if (!leaves) depart(target.id === "submit");
  }, true);

  let stamp = "";
  const stamped = () => {
    const now = byId("stamp")?.querySelector(".saved, .alarm, .touched")?.className ?? "";
    if (now === stamp) return;
    stamp = now;
    if (now.includes("touched")) edited(TOUCH_MS); /* the desk has put a text into a box: saved like a typed one */
    else if (now) land(now.includes("saved"));
  };
  document.addEventListener("input", (event) => {
    if (event.target.closest(".edit")) edited();
    if (event.target.closest("#post-pane .box")) paused(event.inputType === "insertFromPaste" ? 0 : GLANCE_MS);
  });

  /* A new post is looked over when somebody pauses: signals, what names a person, and the engine begins to read. */
  const GLANCE_MS = 900;
  let glance = 0;
  const paused = (after) => {
    clearTimeout(glance);
    glance = setTimeout(() => {
      if (unstarted() && !tooLong(byId("start"))) byId("glance").click();
    }, after);
  };
  document.addEventListener("focusout", (event) => {
    const toAction = event.relatedTarget?.closest?.("#save, #submit");
    if (event.target.closest?.(".edit") && dirty && !toAction) save();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("#copy")) copy(event.target.closest("#copy"));
  }, true);

  /* Requests that fail are noticed here: gradio tells of them in English and in passing, so its own notes are hidden. */
  const ask = window.fetch;
  const KEEPALIVE_BYTES = 60000; /* browsers refuse to outlive a page with more than 64 KiB */
  window.fetch = async (resource, options) => {
    const event = /\/(queue\/join|run\/predict)/.test(String(resource?.url ?? resource));
    /* A save that is under way when the page is left still arrives. */
    const small = event && new Blob([options?.body ?? ""]).size < KEEPALIVE_BYTES;
    try {
      const reply = await ask(resource, small ? { ...options, keepalive: true } : options);
      if (event && reply.status === 413) {
        notice(facts.words.too_large);
        land(false);
      }
      return reply;
    } catch (error) {
      if (event) lost();
      throw error;
    }
  };
  const failed = () => {
    const note = document.querySelector(".toast-body.error:not([data-seen])");
    if (!note) return;
    note.dataset.seen = "";
    if (/connection/i.test(note.textContent)) return lost();
    if (!byId("notice")?.textContent) notice(facts.errors.internal);
    land(false);
  };

  const unstarted = () => {
    const post = box("description");
    return Boolean(post && !post.disabled && post.value.trim() && !byId("number")?.textContent.trim());
  };
  window.addEventListener("beforeunload", (event) => {
    if (dirty || flight || unstarted()) event.preventDefault();
    save(); /* while the browser asks, or is not allowed to */
  });

  const copy = async (button) => {
    await navigator.clipboard.writeText(box("answer").value);
    const label = button.textContent;
    button.textContent = facts.words.copied;
    setTimeout(() => { button.textContent = label; }, 1500);
  };

  /* The address names the draft on screen, so that a reload finds it again. */
  let shown = null; /* nothing is shown before the page has asked the desk, so the address is not cleared for that */
  const address = () => {
    const number = byId("number")?.textContent.match(/#(\d+)/)?.[1] ?? null;
    if (number === shown) return;
    shown = number;
    settle(); /* the boxes were filled */
    const url = new URL(location.href);
    if (number) url.searchParams.set("draft", number);
    else url.searchParams.delete("draft");
    history.replaceState(null, "", url);
  };

  /* How long a text is, beneath its box. Gradio may put new parts in the place of old ones, so the line is sought. */
  const counted = (id, chars, above, limit = Infinity) => {
    if (!above) return;
    let line = byId(id);
    if (!line) {
      line = document.createElement("div");
      line.id = id;
      line.className = "count";
      above.after(line);
    }
    const over = chars > limit ? " · " + fill(facts.words.post_limit, { limit: limit.toLocaleString(facts.lang) }) : "";
    const said = fill(facts.words.post_chars, { chars: chars.toLocaleString(facts.lang) }) + over;
    if (line.textContent !== said) line.textContent = said;
    line.classList.toggle("over", Boolean(over));
  };
  const count = () => {
    const [title, post, answer] = ["title", "description", "answer"].map((name) => box(name)?.value ?? "");
    counted("post-count", length(post) + length(title), box("description")?.closest(".box"), facts.limit);
    counted("answer-count", length(answer), byId("stamp"), facts.sectionLimit);
  };

  const watch = () => {
    new MutationObserver(() => { stamped(); address(); failed(); }).observe(document.body, {
      childList: true, characterData: true, subtree: true,
    });
    /* The desk has one, light, scheme. Removing a class that is not there would count as a change, without end. */
    const light = () => document.body.classList.contains("dark") && document.body.classList.remove("dark");
    new MutationObserver(light).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    light();
    setInterval(count, 400);
  };
  if (document.body) watch();
  else document.addEventListener("DOMContentLoaded", watch);
})();
