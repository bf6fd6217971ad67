// Patterns of names: `*`, `?` and `[...]`, which match case. A set that is not closed is a bracket.

/** The code points of a set's inside: single ones, and ranges; an empty range is left out. */
function readSet(inner: string): [string, string][] {
  const characters = [...inner];
  const ranges: [string, string][] = [];
  for (let i = 0; i < characters.length; i += 1) {
    const first = characters[i] as string;
    const last = characters[i + 1] === "-" ? characters[i + 2] : undefined;
    ranges.push([first, last ?? first]);
    if (last !== undefined) i += 2;
  }
  return ranges;
}

const pointOf = (character: string): number => character.codePointAt(0) as number;

type Piece = "*" | "?" | ((character: string) => boolean);

function setOf(inner: string): Piece {
  const isNegated = inner.startsWith("!");
  const ranges = readSet(isNegated ? inner.slice(1) : inner);
  return (character) => {
    const point = pointOf(character);
    return ranges.some(([first, last]) => pointOf(first) <= point && point <= pointOf(last)) !== isNegated;
  };
}

function readPattern(pattern: string): Piece[] {
  const pieces: Piece[] = [];
  const characters = [...pattern];
  for (let i = 0; i < characters.length; i += 1) {
    const character = characters[i] as string;
    const close = character === "[" ? characters.indexOf("]", i + (characters[i + 1] === "!" ? 3 : 2)) : -1;
    if (close > 0) {
      pieces.push(setOf(characters.slice(i + 1, close).join("")));
      i = close;
    } else if (character === "*") {
      if (pieces.at(-1) !== "*") pieces.push("*");
    } else pieces.push(character === "?" ? "?" : (other) => other === character);
  }
  return pieces;
}

/** Whether a whole name is of a pattern; takes at most as many steps as both are long, multiplied. */
export function matches(name: string, pattern: string): boolean {
  const pieces = readPattern(pattern);
  const characters = [...name];
  let [at, piece, starAt, starPiece] = [0, 0, -1, -1];
  while (at < characters.length) {
    const wanted = pieces[piece];
    if (wanted === "*") {
      [starAt, starPiece] = [at, piece];
      piece += 1;
    } else if (wanted !== undefined && (wanted === "?" || wanted(characters[at] as string))) {
      at += 1;
      piece += 1;
    } else if (starPiece >= 0) {
      starAt += 1;
      [at, piece] = [starAt, starPiece + 1];
    } else return false;
  }
  return pieces.slice(piece).every((rest) => rest === "*");
}
