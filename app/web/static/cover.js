/* A cover over a text box: the same text in the same shape, transparent but for its marks. A box that is typed in can hold
   no marks of its own. Nothing runs while nothing changes. */
const SHAPE = [
  "fontFamily", "fontSize", "fontWeight", "fontStyle", "fontStretch", "fontKerning", "fontVariantLigatures",
  "fontFeatureSettings", "letterSpacing", "wordSpacing", "lineHeight", "textIndent", "textTransform", "textAlign",
  "textRendering", "tabSize", "direction", "whiteSpace", "wordBreak", "overflowWrap", "lineBreak", "hyphens",
  "paddingTop", "paddingRight", "paddingBottom", "paddingLeft",
];
const LINE_GAP = 4; /* the rectangles of two lines do not meet */

export class Cover {
  constructor(field) {
    this.field = field;
    this.pieces = [];
    this.sheet = document.createElement("div");
    this.sheet.className = "cover";
    this.sheet.inert = true; /* neither read aloud nor found by a search in the page: the text is there already */
    field.parentElement.classList.add("marked");
    field.after(this.sheet);
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(field);
    this.disabled = new MutationObserver(() => this.fit());
    this.disabled.observe(field, { attributes: true, attributeFilter: ["disabled"] });
    field.addEventListener("scroll", () => this.follow());
  }

  get whole() {
    return this.field.isConnected && this.sheet.isConnected;
  }

  remove() {
    this.resized.disconnect();
    this.disabled.disconnect();
    this.sheet.remove();
  }

  /* Marks are {start, end, kind}; where several lie over each other, a piece bears the names of all. */
  paint(text, marks) {
    const cuts = [...new Set([0, text.length, ...marks.flatMap((mark) => [mark.start, mark.end])])];
    cuts.sort((one, other) => one - other);
    this.pieces = [];
    const parts = cuts.slice(1).map((end, place) => {
      const part = text.slice(cuts[place], end);
      const over = marks.filter((mark) => mark.start <= cuts[place] && end <= mark.end);
      if (!over.length) return part;
      const span = document.createElement("mark");
      span.className = [...new Set(over.map((mark) => mark.kind))].join(" ");
      span.textContent = part;
      this.pieces.push({ span, over });
      return span;
    });
    /* A line break at the end opens a line in a box, but in a block only before something. */
    this.sheet.replaceChildren(...(this.pieces.length ? [...parts, "\n"] : []));
    this.fit();
  }

  fit() {
    if (!this.pieces.length) return;
    const { field, sheet } = this;
    const style = getComputedStyle(field);
    for (const property of SHAPE) sheet.style[property] = style[property];
    if (field.tagName === "INPUT") { /* its one line stands in the middle */
      Object.assign(sheet.style, { whiteSpace: "pre", lineHeight: `${field.clientHeight}px`, paddingTop: 0, paddingBottom: 0 });
    }
    const [outer, around] = [field.getBoundingClientRect(), field.parentElement.getBoundingClientRect()];
    const border = (side) => parseFloat(style[`border${side}Width`]);
    const bar = Math.round(field.offsetWidth - field.clientWidth - border("Left") - border("Right"));
    sheet.style.left = `${outer.left - around.left + border("Left")}px`;
    sheet.style.top = `${outer.top - around.top + border("Top")}px`;
    /* Not the rounded clientWidth: a part of a pixel may break a line elsewhere. */
    sheet.style.width = `${outer.width - border("Left") - border("Right") - Math.max(0, bar)}px`;
    sheet.style.height = `${field.clientHeight}px`;
    this.follow();
  }

  follow() {
    this.sheet.scrollTop = this.field.scrollTop;
    this.sheet.scrollLeft = this.field.scrollLeft;
  }

  /* The marks under a point of the window */
  at(x, y) {
    const near = (rect) => rect.left <= x && x < rect.right && rect.top - LINE_GAP <= y && y < rect.bottom + LINE_GAP;
    return this.pieces.find(({ span }) => [...span.getClientRects()].some(near))?.over ?? [];
  }

  /* Scroll the mark that begins here into view, if it is not. */
  reveal(start) {
    const piece = this.pieces.find(({ over }) => over.some((mark) => mark.start === start));
    const at = piece?.span.getClientRects()[0];
    const view = this.sheet.getBoundingClientRect();
    if (!at || (at.top >= view.top && at.bottom <= view.bottom)) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const top = this.field.scrollTop + at.top - view.top - view.height / 3;
    this.field.scrollTo({ top, behavior: still ? "instant" : "smooth" });
  }
}
