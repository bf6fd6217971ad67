// Text in YAML: escapes inside double quotes, and how the lines of a block become one text.

/** What stands for one character after a backslash. */
export const ESCAPES: Record<string, string> = {
  "0": "\0", a: "\x07", b: "\b", t: "\t", "\t": "\t", n: "\n", v: "\v", f: "\f", r: "\r", e: "\x1b", " ": " ",
  '"': '"', "\\": "\\", "/": "/", N: "\x85", _: "\xa0", L: "\u2028", P: "\u2029",
};

/** The text of a block's lines: folded or as they stand, its end kept (`+`), cut (`-`) or one line break. */
export function joinBlock(lines: readonly string[], isFolded: boolean, chomping: string): string {
  const last = lines.findLastIndex((line) => line !== "");
  const content = lines.slice(0, last + 1);
  let text = "";
  let breaks = 0;
  let before: string | undefined;
  for (const line of content) {
    if (line === "") {
      breaks += 1;
      continue;
    }
    if (before === undefined) text += "\n".repeat(breaks);
    else {
      const folds = isFolded && !/^[ \t]/.test(before) && !/^[ \t]/.test(line);
      text += folds ? (breaks === 0 ? " " : "\n".repeat(breaks)) : "\n".repeat(breaks + 1);
    }
    text += line;
    [before, breaks] = [line, 0];
  }
  if (chomping === "-") return text;
  const end = before === undefined ? "" : "\n";
  return chomping === "+" ? text + end + "\n".repeat(lines.length - last - 1) : text + end;
}
