// YAML read strictly: what every reader of YAML agrees on, and a refusal of the rest.
//
// Refused: anchors, aliases, tags, directives, merge keys, complex keys, duplicate keys, several documents, words and
// numbers that YAML 1.1 and 1.2 read differently, and plain text over several lines inside brackets. Numbers keep
// their text, so that no threshold passes through a double.
import { limitExceeded, malformed, quote, type Failure } from "../errors.ts";
import { decodeText } from "./bytes.ts";
import { ESCAPES, joinBlock } from "./folding.ts";
import { INTEGER, Numeral } from "./numeral.ts";

export { Numeral } from "./numeral.ts";

const LARGEST_INTEGER = 2n ** 53n - 1n;
const LONGEST_NUMBER = 40;
const LARGEST_EXPONENT = 30;
const NULLS = new Set(["", "~", "null", "Null", "NULL"]);
const BOOLEANS = new Map([
  ["true", true],
  ["True", true],
  ["TRUE", true],
  ["false", false],
  ["False", false],
  ["FALSE", false],
]);
const DECIMAL = /^[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/;
const NOT_FINITE = /^[-+]?\.(?:inf|nan)$/i;
const AMBIGUOUS_NUMBER =
  /^[-+]?(?:0[xob][0-9a-f_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9_]*)?|\.[0-9][0-9_]*(?:e[-+]?[0-9]+)?|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)$/i;
const AMBIGUOUS_WORD = /^(?:yes|no|on|off|y|n)$/i;
// The other line ends of YAML 1.1, and what no YAML may hold.
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]|\r(?!\n)/;
const INDICATOR = /^(?:[&*!|>%@`,[\]{}#"']|[?:-](?: |$))/;

export type Yaml = null | boolean | string | Numeral | Yaml[] | YamlMap;
export type YamlMap = Map<string, Yaml>;

export const isMap = (value: Yaml | undefined): value is YamlMap => value instanceof Map;

interface Scalar {
  text: string;
  isQuoted: boolean;
}

class Reader {
  private readonly lines: readonly string[];
  private row = 0;
  private column = 0;
  private depth = 0;

  constructor(
    text: string,
    private readonly name: string,
    private readonly maxDepth: number,
  ) {
    const found = FORBIDDEN.exec(text);
    if (found) {
      const before = text.slice(0, found.index).split("\n");
      const place = `${name}:${before.length}:${(before.at(-1) as string).length + 1}`;
      throw malformed(`the character U+${hex(found[0])} cannot stand in YAML`, place);
    }
    this.lines = text.replace(/^\ufeff/, "").replaceAll("\r\n", "\n").split("\n");
  }

  readDocument(): Yaml {
    this.skipToContent();
    if (this.line.startsWith("%")) throw this.odd("directives (%YAML, %TAG) are not read");
    if (this.atMarker("---")) {
      this.column = 3;
      this.skipSpaces();
      if (this.rest !== "" && !this.rest.startsWith("#")) throw this.odd("not YAML: text beside ---");
      this.nextLine();
    }
    if (this.ended) throw malformed("the file holds no document", this.name);
    const value = this.readBlock(-1);
    if (this.atMarker("...")) this.nextLine();
    if (!this.ended) throw this.odd(this.atMarker("---") ? "a second document begins here" : "not YAML: text after the document");
    return value;
  }

  private odd(message: string, hint?: string): Failure {
    return malformed(message, `${this.name}:${this.row + 1}:${this.column + 1}`, hint);
  }

  private get line(): string {
    return this.lines[this.row] ?? "";
  }

  private get rest(): string {
    return this.line.slice(this.column);
  }

  private get ended(): boolean {
    return this.row >= this.lines.length;
  }

  private peek(): string {
    return this.line[this.column] ?? "";
  }

  private atMarker(marker: string): boolean {
    return !this.ended && this.column === 0 && (this.line === marker || this.line.startsWith(`${marker} `));
  }

  private nextLine(): void {
    this.row += 1;
    this.skipToContent();
  }

  private skipToContent(): void {
    for (; !this.ended; this.row += 1) {
      this.column = (/^ */.exec(this.line) as RegExpExecArray)[0].length;
      if (this.peek() === "\t") throw this.odd("not YAML: a tab as indentation");
      if (this.rest !== "" && this.peek() !== "#") return;
    }
    this.column = 0;
  }

  private skipSpaces(): void {
    while (this.peek() === " ") this.column += 1;
  }

  private finishLine(): void {
    const before = this.column;
    this.skipSpaces();
    if (this.rest !== "" && !(this.peek() === "#" && this.column > before)) {
      throw this.odd(`not YAML: text after a value: ${quote(this.rest.slice(0, 40))}`);
    }
    this.nextLine();
  }

  private nested<T>(read: () => T): T {
    if (this.depth >= this.maxDepth) {
      throw limitExceeded(`nested deeper than ${this.maxDepth} levels`, `${this.name}:${this.row + 1}:${this.column + 1}`);
    }
    this.depth += 1;
    const value = read();
    this.depth -= 1;
    return value;
  }

  // -- block collections ---------------------------------------------------------------------------

  /** A value that begins here; `indent` is the column of the collection that it stands in. */
  private readBlock(indent: number): Yaml {
    const at = this.column;
    if (/^-(?: |$)/.test(this.rest)) return this.nested(() => this.readBlockSequence(at));
    if (/^\?(?: |$)/.test(this.rest)) throw this.odd("a key must be text");
    if (this.startsKey()) return this.nested(() => this.readBlockMapping(at));
    return this.readInline(indent);
  }

  private readInline(indent: number): Yaml {
    const first = this.peek();
    if (first === "|" || first === ">") return this.readBlockScalar(indent);
    if (first === "{" || first === "[") {
      const value = this.readFlow();
      this.finishLine();
      return value;
    }
    if (first === '"' || first === "'") {
      const text = this.readQuoted(indent);
      this.finishLine();
      return text;
    }
    return this.resolve(this.readPlainLines(indent));
  }

  private startsKey(): boolean {
    const first = this.peek();
    if (first === '"' || first === "'") {
      const pattern = first === '"' ? /^"(?:[^"\\]|\\.)*" *:(?: |$)/ : /^'(?:[^']|'')*' *:(?: |$)/;
      return pattern.test(this.rest);
    }
    if (first === "{" || first === "[" || INDICATOR.test(this.rest)) return false;
    return /:(?: |$)/.test(this.rest.replace(/ #.*$/, ""));
  }

  private readBlockSequence(indent: number): Yaml[] {
    const items: Yaml[] = [];
    while (!this.ended && this.column === indent && /^-(?: |$)/.test(this.rest)) {
      this.column += 1;
      items.push(this.readBlockItem(indent));
    }
    this.requireDedent(indent);
    return items;
  }

  private readBlockItem(indent: number): Yaml {
    this.skipSpaces();
    if (this.rest !== "" && this.peek() !== "#") return this.readBlock(indent);
    this.nextLine();
    return this.ended || this.column <= indent ? null : this.readBlock(indent);
  }

  private readBlockMapping(indent: number): YamlMap {
    const result: YamlMap = new Map();
    while (!this.ended && this.column === indent && !this.atMarker("---") && !this.atMarker("...")) {
      if (!this.startsKey()) throw this.odd("not YAML: a key was expected");
      const key = this.readKey(result, false);
      result.set(key, this.readBlockValue(indent));
    }
    this.requireDedent(indent);
    return result;
  }

  private requireDedent(indent: number): void {
    if (!this.ended && this.column > indent) throw this.odd("not YAML: indentation that fits nothing");
  }

  private readKey(known: YamlMap, isInside: boolean): string {
    const at = this.column;
    const key = this.readScalarOfLine(isInside);
    if (!key.isQuoted) this.requirePlainKey(key.text);
    if (known.has(key.text)) {
      this.column = at;
      throw this.odd(`the key ${quote(key.text)} is given twice`);
    }
    this.skipSpaces();
    if (this.peek() !== ":") throw this.odd("not YAML: a colon was expected");
    this.column += 1;
    return key.text;
  }

  private requirePlainKey(text: string): void {
    if (text === "<<") throw this.odd("merge keys (<<) are not read", "write the keys out");
    if (NULLS.has(text) || BOOLEANS.has(text)) throw this.odd(`${quote(text)} cannot be a key`, "put it in quotes");
    if (!INTEGER.test(text)) this.refuseAmbiguity(text);
  }

  private readBlockValue(indent: number): Yaml {
    this.skipSpaces();
    if (this.rest !== "" && this.peek() !== "#") {
      if (/^-(?: |$)/.test(this.rest)) throw this.odd("not YAML: a list begins on a line of its own");
      if (!/^[|>]/.test(this.rest) && this.startsKey()) throw this.odd("not YAML: two keys on one line");
      return this.readInline(indent);
    }
    this.nextLine();
    const isSequence = /^-(?: |$)/.test(this.rest);
    if (this.ended || this.column < indent || (this.column === indent && !isSequence)) return null;
    return this.readBlock(indent);
  }

  // -- flow collections ----------------------------------------------------------------------------

  private readFlow(): Yaml {
    const first = this.peek();
    if (first === "{") return this.nested(() => this.readFlowMapping());
    if (first === "[") return this.nested(() => this.readFlowSequence());
    const scalar = this.readScalarOfLine(true);
    return scalar.isQuoted ? scalar.text : this.resolve(scalar.text);
  }

  private skipInFlow(): void {
    for (;;) {
      this.skipSpaces();
      if (this.peek() !== "" && this.peek() !== "#") return;
      if (this.ended) throw this.odd("not YAML: the text ends inside brackets");
      this.row += 1;
      this.column = 0;
    }
  }

  private readFlowItems(close: string, readItem: () => void): void {
    this.column += 1;
    this.skipInFlow();
    while (this.peek() !== close) {
      readItem();
      this.skipInFlow();
      if (this.peek() === ",") {
        this.column += 1;
        this.skipInFlow();
      } else if (this.peek() !== close) throw this.odd(`not YAML: a comma or ${close} was expected`);
    }
    this.column += 1;
  }

  private readFlowMapping(): YamlMap {
    const result: YamlMap = new Map();
    this.readFlowItems("}", () => {
      const key = this.readKey(result, true);
      this.skipInFlow();
      const isEmpty = this.peek() === "," || this.peek() === "}";
      result.set(key, isEmpty ? null : this.readFlow());
    });
    return result;
  }

  private readFlowSequence(): Yaml[] {
    const items: Yaml[] = [];
    this.readFlowItems("]", () => items.push(this.readFlow()));
    return items;
  }

  // -- scalars -------------------------------------------------------------------------------------

  private readScalarOfLine(isInside: boolean): Scalar {
    const first = this.peek();
    if (first === '"' || first === "'") return { text: this.readQuoted(-1), isQuoted: true };
    return { text: this.readPlainText(isInside), isQuoted: false };
  }

  private readPlainText(isInside: boolean): string {
    if (this.rest.startsWith("&")) throw this.odd(`anchors (${word(this.rest)}) are not read`, "remove it");
    if (this.rest.startsWith("*")) throw this.odd(`aliases (${word(this.rest)}) are not read`, "write it out");
    if (this.rest.startsWith("!")) throw this.odd(`tags (${word(this.rest)}) are not read`, "remove it");
    if (INDICATOR.test(this.rest) || (isInside && /^[?:-][,[\]{}]/.test(this.rest))) {
      throw this.odd(`not YAML: a value cannot begin with ${quote(this.peek())}`);
    }
    const stop = isInside ? /[,[\]{}]|:(?= |$|[,[\]{}])| #/ : /:(?= |$)| #/;
    const end = this.rest.search(stop);
    const text = (end < 0 ? this.rest : this.rest.slice(0, end)).replace(/ +$/, "");
    if (text === "") throw this.odd("not YAML: a value was expected");
    if (/\t/.test(text)) throw this.odd("a tab in plain text is read differently: put it in quotes");
    this.column += text.length;
    return text;
  }

  /** Plain text that may go on over further lines, each deeper than `indent`. */
  private readPlainLines(indent: number): string {
    let text = this.readPlainText(false);
    for (;;) {
      if (/^ *:(?: |$)/.test(this.rest)) throw this.odd("not YAML: a colon where no key can stand");
      const hasComment = this.rest.trim() !== "";
      const from = this.row;
      this.finishLine();
      const goesOn = !this.ended && this.column > indent && !this.atMarker("---") && !this.atMarker("...");
      if (!goesOn) return text;
      const between = this.lines.slice(from + 1, this.row);
      if (hasComment || between.some((line) => line.trim() !== "")) throw this.odd("not YAML: text goes on after a comment");
      text += between.length === 0 ? " " : "\n".repeat(between.length);
      const stop = /:(?= |$)| #/.exec(this.rest);
      if (stop?.[0] === ":") throw this.odd("not YAML: a key where text goes on");
      const more = (stop ? this.rest.slice(0, stop.index) : this.rest).replace(/ +$/, "");
      if (/\t/.test(more)) throw this.odd("a tab in plain text is read differently: put it in quotes");
      this.column += more.length;
      text += more;
    }
  }

  private readQuoted(indent: number): string {
    const mark = this.peek();
    this.column += 1;
    let text = "";
    let solid = 0; // up to here a line break takes nothing away: blanks before it do not count, escaped ones do
    for (;;) {
      const character = this.peek();
      if (character === "") text = this.foldQuoted(text.slice(0, solid), indent, " ");
      else if (this.rest === "\\" && mark === '"') text = this.foldQuoted(text, indent, "");
      else if (character === mark && (mark === '"' || this.line[this.column + 1] !== "'")) break;
      else if (character === "\\" && mark === '"') text += this.readEscape();
      else {
        text += character;
        this.column += character === mark ? 2 : 1;
        if (character === " " || character === "\t") continue;
      }
      solid = text.length;
    }
    this.column += 1;
    if (!text.isWellFormed()) throw this.odd("half a surrogate pair is not a character");
    return text;
  }

  // A line break inside quotes is a space, or nothing where it is escaped; each empty line after it is a line break.
  private foldQuoted(before: string, indent: number, glue: string): string {
    let empty = 0;
    for (;;) {
      this.row += 1;
      if (this.ended) throw this.odd("not YAML: a quoted text that does not end");
      if (/^(?:---|\.\.\.)(?: |$)/.test(this.line)) throw this.odd("not YAML: a document ends inside quotes");
      this.column = (/^[ \t]*/.exec(this.line) as RegExpExecArray)[0].length;
      if (this.rest !== "") break;
      empty += 1;
    }
    if (this.column <= indent) throw this.odd("not YAML: quoted text that is not indented");
    return before + (empty === 0 ? glue : "\n".repeat(empty));
  }

  private readEscape(): string {
    const letter = this.line[this.column + 1] ?? "";
    const length = { x: 2, u: 4, U: 8 }[letter];
    if (length !== undefined) {
      const digits = this.line.slice(this.column + 2, this.column + 2 + length);
      const code = /^[0-9a-fA-F]+$/.test(digits) && digits.length === length ? Number.parseInt(digits, 16) : NaN;
      if (!(code <= 0x10ffff)) throw this.odd("not YAML: an unknown escape");
      if (code >= 0xd800 && code < 0xe000) throw this.odd("half a surrogate pair is not a character");
      this.column += 2 + length;
      return String.fromCodePoint(code);
    }
    const plain = ESCAPES[letter];
    if (letter === "" || plain === undefined) throw this.odd("not YAML: an escape that is not read here");
    this.column += 2;
    return plain;
  }

  private readBlockScalar(indent: number): string {
    const header = /^([|>])(?:([+-])?([1-9])?|([1-9])([+-]))(?: +#.*| *)$/.exec(this.rest);
    if (!header) throw this.odd("not YAML: the head of a block of text");
    const isFolded = header[1] === ">";
    const chomping = header[2] ?? header[5] ?? "";
    const explicit = header[3] ?? header[4];
    this.row += 1;
    const least = Math.max(indent + 1, 1);
    const width = explicit === undefined ? this.findBlockIndent(least) : least + Number(explicit) - 1;
    const lines = this.takeBlockLines(width);
    this.skipToContent();
    return joinBlock(lines, isFolded, chomping);
  }

  private findBlockIndent(least: number): number {
    for (let row = this.row; row < this.lines.length; row += 1) {
      const line = this.lines[row] as string;
      const spaces = (/^ */.exec(line) as RegExpExecArray)[0].length;
      if (spaces < line.length) return Math.max(least, spaces);
      if (spaces > least) throw this.odd("not YAML: empty lines that are deeper than the text after them");
    }
    return least;
  }

  private takeBlockLines(width: number): string[] {
    const lines: string[] = [];
    for (; !this.ended; this.row += 1) {
      const isEmpty = /^ *$/.test(this.line) && this.line.length <= width;
      if (!isEmpty && !this.line.startsWith(" ".repeat(width))) break;
      if (this.row === this.lines.length - 1 && this.line === "") {
        this.row += 1;
        break;
      }
      lines.push(isEmpty ? "" : this.line.slice(width));
    }
    return lines;
  }

  // -- what plain text means -----------------------------------------------------------------------

  private resolve(text: string): Yaml {
    if (NULLS.has(text)) return null;
    const truth = BOOLEANS.get(text);
    if (truth !== undefined) return truth;
    if (DECIMAL.test(text)) return this.resolveNumber(text);
    this.refuseAmbiguity(text);
    if (!text.isWellFormed()) throw this.odd("half a surrogate pair is not a character");
    return text;
  }

  private resolveNumber(text: string): Numeral {
    const place = `${this.name}:${this.row + 1}:${this.column + 1}`;
    if (text.length > LONGEST_NUMBER) {
      throw limitExceeded(`a number of ${text.length} characters, at most ${LONGEST_NUMBER} are read`, place);
    }
    if (INTEGER.test(text)) {
      const value = BigInt(text.replace("+", ""));
      if (value > LARGEST_INTEGER || value < -LARGEST_INTEGER) {
        throw limitExceeded(`${text} is beyond 2^53 - 1, where readers differ`, place, "put it in quotes");
      }
      return new Numeral(text);
    }
    const [, whole = "", part = "", exponent = "0"] = /(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?/.exec(text) ?? [];
    const digits = (whole + part).replace(/^0+/, "");
    const adjusted = Number(exponent) - part.length + digits.length - 1;
    if (digits !== "" && Math.abs(adjusted) > LARGEST_EXPONENT) {
      throw limitExceeded(`${text} is not between 1e-30 and 1e30`, place);
    }
    if (Math.abs(Number(exponent)) > 999) throw limitExceeded(`${text} is not between 1e-30 and 1e30`, place);
    return new Numeral(text);
  }

  private refuseAmbiguity(text: string): void {
    if (AMBIGUOUS_WORD.test(text)) {
      throw this.odd(`bare ${quote(text)} is a truth value to some readers and text to others`, `write true, false or "${text}"`);
    }
    if (NOT_FINITE.test(text)) throw this.odd(`${text} is not a number that can be compared`);
    if (AMBIGUOUS_NUMBER.test(text)) {
      throw this.odd(`readers of YAML differ about ${text}`, `write a plain decimal number such as 10 or 0.5, or text: "${text}"`);
    }
  }
}

const hex = (character: string): string =>
  (character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0");

const word = (text: string): string => (/^\S+/.exec(text) as RegExpExecArray)[0].slice(0, 60);

/** The value of a text of strict YAML. Throws a Failure with the place of what cannot be read. */
export function readYaml(text: string, name: string, maxDepth = 32): Yaml {
  return new Reader(text, name, maxDepth).readDocument();
}

/** The value of a file of strict YAML. */
export function parseYaml(data: Uint8Array, name: string, maxBytes = 2 ** 20): Yaml {
  if (data.length > maxBytes) {
    throw limitExceeded(`the file has ${data.length} bytes, at most ${maxBytes} are read`, name);
  }
  const text = decodeText(data);
  if (text === undefined) throw malformed("the file is not UTF-8", name);
  return readYaml(text, name);
}
