// Exact fractions over BigInt, and the decimals with 6 places that the label decides on.
//
// A decimal with 6 places is carried as a "micro": a BigInt counting millionths.
export const MICRO = 1_000_000n;

const magnitude = (n: bigint): bigint => (n < 0n ? -n : n);

function commonDivisor(a: bigint, b: bigint): bigint {
  let x = magnitude(a);
  let y = magnitude(b);
  while (y) [x, y] = [y, x % y];
  return x;
}

/** A reduced fraction with a positive denominator. */
export class Fraction {
  readonly top: bigint;
  readonly bottom: bigint;

  constructor(top: bigint, bottom = 1n) {
    if (bottom === 0n) throw new RangeError("a fraction over zero");
    const sign = bottom < 0n ? -1n : 1n;
    const shared = commonDivisor(top, bottom) || 1n;
    this.top = (sign * top) / shared;
    this.bottom = (sign * bottom) / shared;
  }

  plus(other: Fraction): Fraction {
    return new Fraction(this.top * other.bottom + other.top * this.bottom, this.bottom * other.bottom);
  }

  minus(other: Fraction): Fraction {
    return this.plus(new Fraction(-other.top, other.bottom));
  }

  times(other: Fraction): Fraction {
    return new Fraction(this.top * other.top, this.bottom * other.bottom);
  }

  over(other: Fraction): Fraction {
    return new Fraction(this.top * other.bottom, this.bottom * other.top);
  }

  /** Negative, zero or positive as this is below, equal to or above the other. */
  compare(other: Fraction): number {
    const difference = this.top * other.bottom - other.top * this.bottom;
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }

  floor(): bigint {
    const whole = this.top / this.bottom;
    return this.top % this.bottom < 0n ? whole - 1n : whole;
  }

  ceiling(): bigint {
    return -new Fraction(-this.top, this.bottom).floor();
  }

  /** The nearest whole number, ties to the even one. */
  nearest(): bigint {
    const below = this.floor();
    const side = this.minus(new Fraction(below)).compare(new Fraction(1n, 2n));
    if (side === 0) return below % 2n === 0n ? below : below + 1n;
    return side < 0 ? below : below + 1n;
  }

  /** The nearest double or its neighbour. */
  number(): number {
    const bits = Math.max(magnitude(this.top).toString(2).length, this.bottom.toString(2).length);
    const excess = BigInt(Math.max(0, bits - 1000));
    return Number(this.top >> excess) / Number(this.bottom >> excess);
  }

  toString(): string {
    return this.bottom === 1n ? String(this.top) : `${this.top}/${this.bottom}`;
  }
}

export const ZERO = new Fraction(0n);
export const ONE = new Fraction(1n);

/** A decimal text such as `0.05` or `1e-3` as the fraction it denotes. */
export function fractionOfDecimal(text: string): Fraction {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d{1,4}))?$/.exec(text);
  if (!match || (match[2] === "" && match[3] === "")) throw new RangeError(`not a decimal: ${text}`);
  const [, sign = "", whole = "", part = "", exponent] = match;
  const power = BigInt(exponent ?? 0) - BigInt(part.length);
  const digits = BigInt(sign + "0") + BigInt(whole + part) * (sign === "-" ? -1n : 1n);
  return power < 0n ? new Fraction(digits, 10n ** -power) : new Fraction(digits * 10n ** power);
}

/** A decimal without exponent and trailing zeros: `0.05`, `3`. The fraction must be one. */
export function writeDecimal(fraction: Fraction): string {
  let shifted = fraction;
  let places = 0;
  for (; shifted.bottom !== 1n; places += 1) shifted = shifted.times(new Fraction(10n));
  const digits = String(magnitude(shifted.top)).padStart(places + 1, "0");
  const [whole, part] = [digits.slice(0, digits.length - places), digits.slice(digits.length - places)];
  return `${shifted.top < 0n ? "-" : ""}${whole}${part && `.${part}`}`;
}

const scaled = (fraction: Fraction): Fraction => fraction.times(new Fraction(MICRO));

export const microDown = (fraction: Fraction): bigint => scaled(fraction).floor();
export const microUp = (fraction: Fraction): bigint => scaled(fraction).ceiling();
export const microNearest = (fraction: Fraction): bigint => scaled(fraction).nearest();
export const fractionOfMicro = (micro: bigint): Fraction => new Fraction(micro, MICRO);

/** `0.049945`: the decimal with 6 places. */
export function writeMicro(micro: bigint): string {
  const size = magnitude(micro);
  const text = `${size / MICRO}.${String(size % MICRO).padStart(6, "0")}`;
  return micro < 0n ? `-${text}` : text;
}
