// Elements made from data. Whatever comes from outside is text in them, never markup, link or style.

export type Child = Node | string | undefined | null | false;
type Attributes = Record<string, string | number | boolean | undefined>;

const SVG = "http://www.w3.org/2000/svg";
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const KEPT = new Set(["\n", "\t", "\u200c", "\u200d"]);

/** The text with every control, bidi, format, private and unassigned character written as `[U+202E]`. */
export function showUnseen(text: string): string {
  return text.replace(UNSEEN, (character) => {
    if (KEPT.has(character)) return character;
    const code = (character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0");
    return `[U+${code}]`;
  });
}

function fill(element: Element, attributes: Attributes, children: readonly Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue;
    element.append(typeof child === "string" ? showUnseen(child) : child);
  }
}

/** An HTML element with attributes of the program's own and children that may come from anywhere. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/** An SVG element. */
export function draw(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): SVGElement {
  const element = document.createElementNS(SVG, tag) as SVGElement;
  fill(element, attributes, children);
  return element;
}

export interface Column {
  heading: string;
  isNumber?: boolean;
}

/** A table in a box of its own that scrolls sideways where it is too wide. */
export function makeTable(caption: string, columns: readonly Column[], rows: readonly (readonly Child[])[]): HTMLElement {
  const style = (column: Column | undefined): Attributes => ({ class: column?.isNumber ? "number" : undefined });
  const head = make("tr", {}, ...columns.map((c) => make("th", { scope: "col", ...style(c) }, c.heading)));
  const body = rows.map((cells) =>
    make(
      "tr",
      {},
      ...cells.map((cell, i) =>
        i === 0 ? make("th", { scope: "row" }, cell) : make("td", style(columns[i]), cell),
      ),
    ),
  );
  const table = make(
    "table",
    {},
    make("caption", { class: "unseen" }, caption),
    make("thead", {}, head),
    make("tbody", {}, ...body),
  );
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, table);
}

/** A section with its heading. */
export const makeSection = (id: string, heading: string, ...children: readonly Child[]): HTMLElement =>
  make("section", { id, "aria-labelledby": `${id}-heading` }, make("h2", { id: `${id}-heading` }, heading), ...children);
