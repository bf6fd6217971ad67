// Words as the program compares them: what counts as blank, and names without differences of case and spacing.

// White space of Unicode, and the separators among the control characters. A byte-order mark is none.
const SPACING = /[\p{White_Space}\u001c-\u001f]+/u;

/** True where a text has nothing but spacing. */
export const isBlank = (text: string): boolean => text.split(SPACING).every((word) => word === "");

// Both directions, character by character: what unfolds to several letters (a sharp s) is then folded too, and no letter
// depends on its neighbours. The dotless i alone would become another letter.
const foldCharacter = (character: string): string =>
  character === "ı" ? character : character.toLowerCase().toUpperCase().toLowerCase();

/** A name without differences of case and spacing. */
export const foldName = (name: string): string =>
  [...name].map(foldCharacter).join("").split(SPACING).filter(Boolean).join(" ");
