// What a check can say no with, and words for values inside messages.

/** The kinds of refusal, as the exit statuses of the command line tell them apart. */
export type Kind = "CheckFailed" | "MalformedInput" | "LimitExceeded" | "SealError";

/** A check that does not hold: what, where, what to do. */
export class Failure extends Error {
  readonly kind: Kind;
  readonly where: string | undefined;
  readonly hint: string | undefined;

  constructor(kind: Kind, message: string, where?: string, hint?: string) {
    super(message);
    this.name = kind;
    this.kind = kind;
    this.where = where;
    this.hint = hint;
  }

  /** The message with its place and its hint, as the command line prints it. */
  override toString(): string {
    const text = this.where === undefined ? this.message : `${this.message} @ ${this.where}`;
    return this.hint === undefined ? text : `${text}\n  hint: ${this.hint}`;
  }
}

/** A step that has nothing to check in this bundle. */
export class Skipped extends Error {}

export const checkFailed = (message: string, where?: string, hint?: string): Failure =>
  new Failure("CheckFailed", message, where, hint);
export const malformed = (message: string, where?: string, hint?: string): Failure =>
  new Failure("MalformedInput", message, where, hint);
export const limitExceeded = (message: string, where?: string, hint?: string): Failure =>
  new Failure("LimitExceeded", message, where, hint);
export const sealError = (message: string, where?: string, hint?: string): Failure =>
  new Failure("SealError", message, where, hint);

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapeUnseen(character: string): string {
  const code = character.codePointAt(0) as number;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

/** A text in quotes, with everything that cannot be seen written out. */
export function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = text
    .replace(/[\\\n\r\t]/gu, (found) => ESCAPES[found] as string)
    .replace(/(?! )[\p{C}\p{Z}]/gu, escapeUnseen);
  return mark + (mark === "'" ? inner.replaceAll("'", "\\'") : inner) + mark;
}
