// Reader of the small strict part of YAML that rubrics are written in: no anchors, tags, aliases, multi-line
// scalars or duplicate keys. Numbers keep their text, so that no threshold passes through a double.
import { fractionOfDecimal } from "./exact.mjs";
import { Refusal } from "./refusal.mjs";

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const NEARLY_A_NUMBER =
  /^[+-]?(\.?\d[\d_]*(\.\d*)?([eE][+-]?\d+)?|0[xob][\da-fA-F_]+|\.(inf|nan)|\d+(:\d+)+)$/i;
const WORDS_READ_TWO_WAYS = /^(y|n|yes|no|on|off)$/i;
const MAX_DEPTH = 64;
const MAX_CHARACTERS = 1_000_000;

/** A number as the rubric writes it. */
export class Numeral {
  constructor(text) {
    this.text = text;
    this.fraction = fractionOfDecimal(text);
  }
}

class Reader {
  constructor(text, name) {
    if (text.length > MAX_CHARACTERS) throw new Refusal(`${text.length} characters of YAML`, name);
    this.name = name;
    this.lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
    this.row = 0;
    this.column = 0;
    this.depth = 0;
  }

  refuse(message) {
    throw new Refusal(message, `${this.name}:${this.row + 1}:${this.column + 1}`);
  }

  /** Runs `read` one level deeper. */
  nested(read) {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) this.refuse(`nested more than ${MAX_DEPTH} deep`);
    const value = read();
    this.depth -= 1;
    return value;
  }

  get line() {
    return this.lines[this.row] ?? "";
  }

  get ended() {
    return this.row >= this.lines.length;
  }

  peek() {
    return this.line[this.column] ?? "";
  }

  /** Steps to the next line with content; its indentation becomes the column. */
  skipToContent() {
    while (!this.ended) {
      const match = /^ *(?=[^ #])/.exec(this.line);
      if (match && /\S/.test(this.line)) {
        this.column = match[0].length;
        if (this.peek() === "\t") this.refuse("a tab as indentation");
        return;
      }
      this.row += 1;
    }
  }

  skipBlanks() {
    while (this.peek() === " ") this.column += 1;
  }

  /** Nothing but blanks or a comment may follow on this line. */
  finishLine() {
    const rest = this.line.slice(this.column);
    if (!/^\s*$/.test(rest) && !/^ +#/.test(rest)) {
      this.skipBlanks();
      this.refuse(`text after a value: ${rest.trim().slice(0, 40)}`);
    }
    this.row += 1;
    this.skipToContent();
  }

  readBlock(indent) {
    if (/^-( |$)/.test(this.line.slice(this.column)))
      return this.nested(() => this.readBlockSequence(indent));
    if (/^["A-Za-z0-9_$-]/.test(this.peek()) && this.startsKey())
      return this.nested(() => this.readBlockMapping(indent));
    const value = this.readFlow(false);
    this.finishLine();
    return value;
  }

  startsKey() {
    return /^("(?:[^"\\]|\\.)*"|[^"'#{}[\],&*!|>%@`:][^#{}[\],:]*):( |$)/.test(this.line.slice(this.column));
  }

  readBlockSequence(indent) {
    const items = [];
    while (!this.ended && this.column === indent && /^-( |$)/.test(this.line.slice(this.column))) {
      this.column += 1;
      this.skipBlanks();
      if (this.column >= this.line.length) {
        this.row += 1;
        this.skipToContent();
      }
      if (this.ended || this.column <= indent) this.refuse("an empty item");
      items.push(this.readBlock(this.column));
    }
    this.requireDedent(indent);
    return items;
  }

  readBlockMapping(indent) {
    const result = new Map();
    while (!this.ended && this.column === indent) {
      if (!this.startsKey()) this.refuse("a key was expected");
      this.readKey(result);
      result.set(this.key, this.readBlockValue(indent, this.key));
    }
    this.requireDedent(indent);
    return result;
  }

  requireDedent(indent) {
    if (!this.ended && this.column > indent) this.refuse("indentation that fits nothing");
  }

  readKey(result) {
    const at = this.column;
    const key = this.peek() === '"' ? this.readQuoted() : this.readPlainText(true);
    if (result.has(key)) {
      this.column = at;
      this.refuse(`key ${key} stands twice`);
    }
    this.skipBlanks();
    if (this.peek() !== ":") this.refuse("a colon was expected");
    this.column += 1;
    this.key = key;
  }

  readBlockValue(indent) {
    this.skipBlanks();
    const rest = this.line.slice(this.column);
    if (rest !== "" && !rest.startsWith("#")) {
      const value = this.readFlow(false);
      this.finishLine();
      return value;
    }
    this.row += 1;
    this.skipToContent();
    const isSequence = /^-( |$)/.test(this.line.slice(this.column));
    if (this.ended || this.column < indent || (this.column === indent && !isSequence)) return null;
    return this.readBlock(this.column);
  }

  readFlow(inside) {
    const first = this.peek();
    if (first === "{") return this.nested(() => this.readFlowMapping());
    if (first === "[") return this.nested(() => this.readFlowSequence());
    if (first === '"') return this.readQuoted();
    if (first === "'") return this.readSingleQuoted();
    return this.readPlain(inside);
  }

  skipInFlow() {
    for (;;) {
      this.skipBlanks();
      if (this.peek() !== "" && !/^#/.test(this.peek())) return;
      if (this.ended) this.refuse("the text ends inside brackets");
      this.row += 1;
      this.column = 0;
    }
  }

  readFlowItems(close, readItem) {
    this.column += 1;
    this.skipInFlow();
    while (this.peek() !== close) {
      readItem();
      this.skipInFlow();
      if (this.peek() === ",") {
        this.column += 1;
        this.skipInFlow();
      } else if (this.peek() !== close) this.refuse(`a comma or ${close} was expected`);
    }
    this.column += 1;
  }

  readFlowMapping() {
    const result = new Map();
    this.readFlowItems("}", () => {
      this.readKey(result);
      const key = this.key;
      this.skipInFlow();
      result.set(key, this.readFlow(true));
    });
    return result;
  }

  readFlowSequence() {
    const items = [];
    this.readFlowItems("]", () => items.push(this.readFlow(true)));
    return items;
  }

  readQuoted() {
    const match = /^"(?:[^"\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/.exec(this.line.slice(this.column));
    if (!match) this.refuse("a quoted text that does not end, or an unknown escape");
    this.column += match[0].length;
    return JSON.parse(match[0]);
  }

  readSingleQuoted() {
    const match = /^'(?:[^']|'')*'/.exec(this.line.slice(this.column));
    if (!match) this.refuse("a quoted text that does not end");
    this.column += match[0].length;
    return match[0].slice(1, -1).replaceAll("''", "'");
  }

  readPlainText(inside) {
    const stop = inside ? /[,[\]{}]|:(?= |$|[,[\]{}])| #/ : /:(?= |$)| #/;
    const rest = this.line.slice(this.column);
    if (/^[&*!|>%@`]/.test(rest) || /^[?-]( |$)/.test(rest))
      this.refuse("anchors, aliases, tags and blocks are not allowed");
    const end = rest.search(stop);
    const text = (end < 0 ? rest : rest.slice(0, end)).trimEnd();
    if (text === "") this.refuse("a value was expected");
    this.column += text.length;
    return text;
  }

  readPlain(inside) {
    const at = this.column;
    const text = this.readPlainText(inside);
    if (text === "true" || text === "false") return text === "true";
    if (/^(null|~)$/.test(text)) return null;
    if (NUMBER.test(text)) return new Numeral(text);
    this.column = at;
    if (WORDS_READ_TWO_WAYS.test(text)) this.refuse(`${text} is read as true or false by some: quote it`);
    if (NEARLY_A_NUMBER.test(text)) this.refuse(`${text} is read as a number by some: quote it`);
    this.column += text.length;
    return text;
  }
}

/** The value of a rubric's text: Map, Array, string, boolean, null or Numeral. Throws Refusal. */
export function readYaml(text, name) {
  const reader = new Reader(text, name);
  reader.skipToContent();
  const value = reader.readBlock(reader.column);
  if (!reader.ended) reader.refuse("text after the document");
  return value;
}
