/* Keys, autosave, leave guard, address and counts. Reads text boxes, writes numbers and fixed words; never sends anything. */
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

  /* Autosave: a pause or leaving a box saves; the stamp tells whether it worked. */
  const PAUSE_MS = 1200;
  let timer = 0;
  let typed = 0; /* counts edits, so that a stamp for an older text does not call the newer one saved */
  let sent = 0;
  let dirty = false;
  const save = () => {
    clearTimeout(timer);
    timer = 0;
    /* While two versions stand side by side, the person decides. */
    if (!dirty || byId("conflict")?.offsetParent) return;
    sent = typed;
    press("save");
  };
  const markUnsaved = () => {
    dirty = true;
    document.body.classList.add("unsaved");
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE_MS);
  };
  let stamp = "";
  const stamped = () => {
    const now = byId("stamp")?.querySelector(".saved")?.outerHTML ?? "";
    if (now === stamp) return;
    stamp = now;
    if (!now) return;
    if (sent !== typed) return markUnsaved();
    dirty = false;
    document.body.classList.remove("unsaved");
  };
  document.addEventListener("input", (event) => {
    if (!event.target.closest(".edit")) return;
    typed += 1;
    markUnsaved();
  });
  document.addEventListener("focusout", (event) => {
    const toAction = event.relatedTarget?.closest?.("#save, #submit");
    if (event.target.closest?.(".edit") && dirty && !toAction) save();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("#save, #submit, #keep-mine")) sent = typed;
    if (event.target.closest("#new, #recent, #take-theirs")) settle();
    if (event.target.closest("#copy")) copy(event.target.closest("#copy"));
  }, true);
  const settle = () => {
    clearTimeout(timer);
    dirty = false;
    document.body.classList.remove("unsaved");
  };
  const unstarted = () => {
    const post = box("description");
    return Boolean(post && !post.disabled && post.value.trim() && !byId("number")?.textContent.trim());
  };
  window.addEventListener("beforeunload", (event) => {
    if (dirty || unstarted()) event.preventDefault();
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
    const url = new URL(location.href);
    if (number) url.searchParams.set("draft", number);
    else url.searchParams.delete("draft");
    history.replaceState(null, "", url);
  };

  /* Keys. Never while an input method is composing: Enter then picks a candidate. */
  document.addEventListener("keydown", (event) => {
    const inInput = event.key === "Enter" && event.target.tagName === "INPUT";
    if (event.isComposing || event.keyCode === 229) {
      if (inInput) event.stopPropagation(); /* gradio would take the candidate's Enter for a finished line */
      return;
    }
    const main = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    const saving = event.key.toLowerCase() === "s" && (event.ctrlKey || event.metaKey);
    if (saving || main || (event.key === "Escape" && byId("stop"))) {
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

  const hints = { start: "Ctrl+Enter", stop: "Esc", save: "Ctrl+S", approve: "Ctrl+Enter" };
  const hint = () => {
    for (const [id, keys] of Object.entries(hints)) if (byId(id)) byId(id).title = keys;
    for (const part of document.querySelectorAll(".scroll")) part.tabIndex = 0; /* so that keys can scroll it */
  };

  /* Length of the post, counted as the desk counts it: in characters, not in UTF-16 units. */
  const count = () => {
    const post = box("description");
    if (!post) return;
    let line = byId("post-count");
    if (!line) {
      line = document.createElement("div");
      line.id = "post-count";
      post.closest(".box").after(line);
    }
    const chars = [...post.value].length + [...(box("title")?.value ?? "")].length;
    const over = chars > facts.limit;
    const said = facts.words.post_chars.replace("{chars}", chars.toLocaleString(facts.lang));
    const limit = over ? " · " + facts.words.post_limit.replace("{limit}", facts.limit.toLocaleString(facts.lang)) : "";
    if (line.textContent !== said + limit) line.textContent = said + limit;
    line.classList.toggle("over", over);
  };

  const watch = () => {
    new MutationObserver(() => { stamped(); address(); }).observe(document.body, {
      childList: true, characterData: true, subtree: true,
    });
    /* The desk has one, light, scheme. Removing a class that is not there would count as a change, without end. */
    const light = () => document.body.classList.contains("dark") && document.body.classList.remove("dark");
    new MutationObserver(light).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    light();
    setInterval(() => { count(); hint(); }, 400);
  };
  if (document.body) watch();
  else document.addEventListener("DOMContentLoaded", watch);
})();
