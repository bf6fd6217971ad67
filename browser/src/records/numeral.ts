// Numbers of YAML files, which keep their text: no threshold passes through a double.
import { type Fraction, fractionOfDecimal } from "../decision/exact.ts";

export const INTEGER = /^[-+]?(?:0|[1-9][0-9]*)$/;

/** A number as the file writes it. */
export class Numeral {
  readonly text: string;
  readonly fraction: Fraction;

  constructor(text: string) {
    this.text = text;
    this.fraction = fractionOfDecimal(text);
  }

  get isInteger(): boolean {
    return INTEGER.test(this.text);
  }

  /** The text that an exact decimal is written with: as it stands, or with an exponent where it is small or had one. */
  get plain(): string {
    if (this.isInteger) return String(BigInt(this.text.replace("+", "")));
    const match = /^([-+]?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(this.text) as RegExpExecArray;
    const part = match[3] ?? "";
    const sign = match[1] === "-" ? "-" : "";
    const digits = (match[2] + part).replace(/^0+(?=\d)/, "");
    const exponent = Number(match[4] ?? 0) - part.length;
    const adjusted = exponent + digits.length - 1;
    if (exponent <= 0 && adjusted >= -6) {
      const padded = digits.padStart(1 - exponent, "0");
      const whole = padded.slice(0, padded.length + exponent);
      return sign + (exponent === 0 ? padded : `${whole}.${padded.slice(padded.length + exponent)}`);
    }
    const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
    return `${sign}${mantissa}E${adjusted < 0 ? "-" : "+"}${Math.abs(adjusted)}`;
  }
}
