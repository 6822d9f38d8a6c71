/* Ranking: the answers of #ranking-task as cards, made by textContent alone; digits give places, #ranking-told tells the
   desk. Counts the seconds that a person looked, not those of a pause or another tab. */
(() => {
  "use strict";
  const LOOK_EVERY_MS = 80;
  const byId = (id) => document.getElementById(id);
  const hidden = (id) => document.querySelector(`#${id} textarea, #${id} input`);

  let shown = null; /* nothing yet, not even that there is nothing */
  let task = null;
  let noneFits = false;
  let paused = false;
  let seconds = 0;
  let ticked = performance.now();

  const element = (tag, kind, text = "") => {
    const made = document.createElement(tag);
    made.className = kind;
    made.textContent = text;
    return made;
  };
  const tell = (id, value) => {
    const box = hidden(id);
    box.value = value;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const cards = () => [...document.querySelectorAll("#ranking-cards .answer-card")];
  const placed = (card) => card.querySelector("input:checked");
  const say = (sentence) => {
    const line = byId("ranking-said");
    if (line && line.textContent !== sentence) line.textContent = sentence;
  };

  const card = (answer, index) => {
    const made = element("fieldset", "answer-card");
    made.id = `answer-${index}`; /* keys.js names the choices of a group by it */
    made.append(element("legend", "title", answer.name));
    const text = element("div", "answer-text", answer.text);
    text.tabIndex = 0; /* so that keys can scroll it */
    text.setAttribute("role", "group");
    text.setAttribute("aria-label", answer.name);
    const places = element("div", "places");
    for (const [place, name] of task.places.entries()) {
      const label = element("label", "place");
      const radio = document.createElement("input");
      radio.type = "radio";
      radio.name = made.id;
      radio.value = place + 1;
      radio.setAttribute("aria-label", name);
      radio.addEventListener("change", () => setNone(false));
      label.append(radio, element("span", "", String(place + 1)));
      places.append(label);
    }
    made.append(text, places);
    return made;
  };
  const render = () => {
    const place = byId("ranking-cards");
    const grid = element("div", "answer-cards");
    if (task) grid.append(...task.answers.map(card));
    const line = element("p", "quiet");
    line.id = "ranking-said";
    line.setAttribute("role", "status");
    place.replaceChildren(grid, line);
    place.scrollTop = 0;
    setNone(false);
    pause(false);
    seconds = 0;
    for (const id of ["ranking-none", "ranking-save", "ranking-pause"]) byId(id).disabled = !task;
    cards()[0]?.querySelector("input").focus({ preventScroll: true });
  };

  const setNone = (on) => {
    noneFits = on;
    byId("ranking-none").setAttribute("aria-pressed", String(on));
    byId("ranking-cards").classList.toggle("none-fits", on);
  };
  const pause = (on) => {
    paused = on;
    byId("ranking-cards").classList.toggle("paused", on);
    for (const one of cards()) one.disabled = on;
    if (!task) return;
    byId("ranking-pause").textContent = on ? task.words.resume : task.words.pause;
    say(on ? task.words.paused : "");
  };
  const save = () => {
    if (!task || paused) return;
    const groups = cards().map((one) => Number(placed(one)?.value ?? 0));
    if (!noneFits && groups.includes(0)) {
      cards().find((one) => !placed(one)).querySelector("input").focus();
      return say(task.words.unplaced);
    }
    const { round, item } = task;
    tell("ranking-told", JSON.stringify({ round, item, groups, noneFits, seconds: Math.round(seconds) }));
    setTimeout(() => byId("rank-it").click(), LOOK_EVERY_MS);
  };
  const place = (digit) => {
    const all = cards();
    const here = all.find((one) => one.contains(document.activeElement)) ?? all.find((one) => !placed(one)) ?? all[0];
    const radio = here?.querySelectorAll("input")[digit - 1];
    if (!radio) return false;
    radio.checked = true;
    setNone(false);
    const next = all.find((one) => !placed(one));
    (next ? next.querySelector("input") : byId("ranking-save")).focus();
    say(`${here.querySelector("legend").textContent}: ${radio.getAttribute("aria-label")}`);
    return true;
  };

  document.addEventListener("click", (event) => {
    const id = event.target.closest?.("button")?.id;
    if (id === "ranking-none") setNone(!noneFits);
    else if (id === "ranking-save") save();
    else if (id === "ranking-pause") pause(!paused);
    else if (id === "ranking-read") choose();
  });
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.altKey || event.metaKey) return;
    const typing = event.target.matches?.('textarea, input:not([type="radio"])');
    if (!task || paused || typing || !byId("rank-pane")?.offsetParent) return;
    if (event.key === "0") setNone(!noneFits);
    else if (event.key === "Enter" && !event.target.matches?.("button, a")) save();
    else if (!/^[1-9]$/.test(event.key) || !place(Number(event.key))) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);

  /* A file of posts is read here and put into the box: it goes nowhere until the round is set up. */
  const choose = () => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = ".jsonl,.json,.txt";
    input.addEventListener("change", async () => tell("box-ranking-posts", await input.files[0].text()));
    input.click();
  };
  let saved = "";
  const download = () => {
    const value = hidden("ranking-file")?.value;
    if (!value || value === saved) return;
    saved = value;
    const { name, type, text } = JSON.parse(value);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
    tell("ranking-file", "");
    saved = "";
  };
  let reported = "";
  const report = () => {
    const place = byId("ranking-results");
    const value = hidden("ranking-report")?.value ?? "";
    if (!place || (value === reported && Boolean(value) === Boolean(place.firstChild))) return;
    reported = value;
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "");
    frame.title = value.match(/<title>(.*?)<\/title>/)?.[1] ?? "";
    frame.srcdoc = value;
    place.replaceChildren(...(value ? [frame] : []));
  };
  const look = () => {
    const now = performance.now();
    if (task && !paused && document.visibilityState === "visible") seconds += (now - ticked) / 1000;
    ticked = now;
    download();
    report();
    const box = hidden("ranking-task");
    const place = byId("ranking-cards");
    /* Gradio makes a view anew whenever it comes back. */
    if (!box || !place || !byId("ranking-save") || (box.value === shown && place.firstChild)) return;
    shown = box.value;
    task = shown ? JSON.parse(shown) : null;
    render();
  };
  setInterval(look, LOOK_EVERY_MS);
})();
