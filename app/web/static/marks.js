/* Which marks stand in which box. They come as JSON in two hidden boxes, made in app/web/marks.py, with the texts that they
   were made from: a text that is another one has none. Texts and notes are shown as text only. */
import { Cover } from "./cover.js";
import { Notes } from "./notes.js";

const POST = ["title", "description"];
const CLAIMING = ["L1", "L2"];
const DWELL_MS = 150; /* a mouse that only passes over a claim moves nothing */
const NOTHING = { texts: {}, boxes: {}, notes: [] };
const byId = (id) => document.getElementById(id);
const field = (id) => document.querySelector(`#${id} textarea, #${id} input`);

const sources = { marks: { raw: "", says: NOTHING }, reasons: { raw: "", says: NOTHING } };
const boxes = {};
for (const name of [...POST, ...CLAIMING, "answer"]) {
  boxes[name] = { name, cover: null, text: "", typed: false, marks: { marks: [], reasons: [] } };
}
const { answer } = boxes;
const boxOf = (target) => Object.values(boxes).find((box) => box.cover && box.cover.field === target);
let touched = null; /* the claim whose evidence is lit: {box, mark, texts} */
let chosen = null; /* the finding that was chosen from the list */

/* What is put away stays away for this post, also when the answer is looked at again. */
const away = new Set();
const key = (mark) => JSON.stringify([boxes.title.text, boxes.description.text, mark.rule, mark.quote]);
const isAway = (mark) => Boolean(away.size && mark.rule && away.has(key(mark)));

const paint = (box) => {
  if (!box.cover) return;
  const marks = [...box.marks.marks.filter((mark) => !isAway(mark)), ...box.marks.reasons];
  if (touched && POST.includes(box.name) && touched.texts[box.name] === box.text) {
    marks.push(...touched.mark.post[box.name].map((span) => ({ ...span, kind: "evidence" })));
  }
  const current = [touched?.box === box && touched.mark, box === answer && chosen].filter(Boolean);
  box.cover.paint(box.text, marks.concat(current.map((mark) => ({ ...mark, kind: "touched" }))));
};

/* Marks follow the text: what was typed into goes, what stands behind moves. */
const moved = (marks, before, after) => {
  let [head, tail] = [0, 0];
  const most = Math.min(before.length, after.length);
  while (head < most && before[head] === after[head]) head += 1;
  while (tail < most - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const grown = after.length - before.length;
  return marks.flatMap((mark) => {
    if (mark.end <= head) return [mark];
    if (mark.start < before.length - tail) return [];
    return [{ ...mark, start: mark.start + grown, end: mark.end + grown }];
  });
};
const told = (id, box) => {
  const { texts, boxes: marked } = sources[id].says;
  const marks = (marked[box.name] ?? []).map((mark, number) => ({ ...mark, number }));
  if (texts[box.name] === box.text) return marks;
  /* A note holds for words that still stand; the reasons of a score are those of a whole text. */
  return id === "marks" && box.typed && box.name in texts ? moved(marks, texts[box.name], box.text) : [];
};
const attach = (box) => {
  const found = field(`box-${box.name}`);
  if (box.cover?.field === found && box.cover?.whole) return;
  box.cover?.remove();
  box.cover = found && new Cover(found);
};
const settle = () => {
  waiting = 0;
  const fresh = Object.keys(sources).filter((id) => {
    const raw = field(id)?.value ?? "";
    if (raw === sources[id].raw) return false;
    sources[id] = { raw, says: raw ? JSON.parse(raw) : NOTHING };
    return true;
  });
  for (const box of Object.values(boxes)) {
    attach(box);
    const text = box.cover?.field.value ?? "";
    const replaced = text !== box.text;
    if (replaced) Object.assign(box, { text, typed: false });
    for (const id of replaced ? Object.keys(sources) : fresh) box.marks[id] = told(id, box);
    if (replaced && box === answer) chosen = null;
    if (replaced || fresh.length) paint(box);
  }
  line();
  caret();
  list();
};
let waiting = 0;
const soon = () => { waiting ||= setTimeout(settle); };
/* The desk's replies set `value`, of which the page hears nothing else. */
for (const kind of [HTMLTextAreaElement, HTMLInputElement]) {
  const native = Object.getOwnPropertyDescriptor(kind.prototype, "value");
  Object.defineProperty(kind.prototype, "value", { ...native, set(text) { native.set.call(this, text); soon(); } });
}
document.addEventListener("input", (event) => {
  const box = boxOf(event.target);
  const text = event.target.value;
  if (!box || text === box.text) return;
  box.marks = { marks: moved(box.marks.marks, box.text, text), reasons: [] };
  Object.assign(box, { text, typed: true });
  if (box === answer) chosen = null;
  paint(box);
  caret();
  if (box === answer) list();
}, true);

/* Evidence: for the claim that the mouse rests on, or the one at the caret */
const line = () => {
  const place = byId("evidence");
  const there = place?.querySelector(".line");
  if (!place || there) return there;
  const said = document.createElement("p");
  said.className = "line";
  said.setAttribute("role", "status");
  place.append(said);
  return said;
};
const touch = (box, mark) => {
  const same = touched && mark && touched.box === box && touched.mark.start === mark.start && touched.mark.end === mark.end;
  if (same || (!touched && !mark)) return;
  const left = touched?.box;
  touched = mark ? { box, mark, texts: sources.marks.says.texts } : null;
  for (const each of new Set([left, box, boxes.title, boxes.description])) if (each) paint(each);
  const [said, note] = [line(), mark?.note ?? ""];
  if (said && said.textContent !== note) said.textContent = note;
  const first = mark?.post.description[0];
  if (first) boxes.description.cover?.reveal(first.start);
};
const claims = (box) => (CLAIMING.includes(box?.name) ? box.marks.marks.filter((mark) => mark.post) : []);
let rested = null; /* the box that the mouse rests in, and its text then */
const caret = () => {
  if (rested && rested.box.text === rested.text) return;
  const box = boxOf(document.activeElement);
  const at = box?.cover.field.selectionStart;
  const mark = claims(box).findLast((each) => each.start <= at && at <= each.end);
  touch(mark ? box : null, mark);
};
let over = null;
let dwell = 0;
document.addEventListener("pointermove", (event) => {
  const box = boxOf(event.target);
  const under = claims(box).length ? box.cover.at(event.clientX, event.clientY) : [];
  const mark = under.find((each) => each.post && each.kind !== "touched");
  if (over?.box === (mark && box) && over?.start === mark?.start) return;
  over = mark ? { box, start: mark.start } : null;
  clearTimeout(dwell);
  dwell = setTimeout(() => {
    rested = mark ? { box, text: box.text } : null;
    if (mark) touch(box, mark);
    else caret();
  }, DWELL_MS);
}, true);
for (const event of ["selectionchange", "focusin", "focusout"]) document.addEventListener(event, () => caret(), true);

/* Notes: one whose words were typed into stays, faint, until the answer is looked at again, so that the list does not jump
   under a person who writes. */
const noted = (id) => {
  const { says } = sources[id];
  const stands = says.texts.answer === answer.text || (answer.typed && "answer" in says.texts);
  if (!stands) return [];
  const live = new Set(answer.marks[id].map((mark) => mark.number));
  const placed = (says.boxes.answer ?? []).map((mark, number) => ({ ...mark, id, number, stale: !live.has(number) }));
  const whole = says.notes.map((note) => ({ ...note, stale: id === "reasons" && says.texts.answer !== answer.text }));
  return [...placed, ...whole].filter((note) => !isAway(note));
};
const notes = new Notes(
  ({ id, number }) => {
    chosen = answer.marks[id].find((mark) => mark.number === number) ?? null;
    if (!chosen) return;
    paint(answer);
    answer.cover.field.focus({ preventScroll: true });
    answer.cover.field.setSelectionRange(chosen.start, chosen.end);
    answer.cover.reveal(chosen.start);
  },
  (dropped) => {
    for (const each of dropped) away.add(key(each));
    chosen = null;
    paint(answer);
    answer.cover.field.focus({ preventScroll: true });
    list();
  },
);
const list = () => {
  notes.show(byId("notes"), Object.keys(sources).map((id) => ({ name: id, words: sources[id].says.words, notes: noted(id) })));
};
soon();
