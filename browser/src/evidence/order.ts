// The committed order of a suite's samples (`sha256-sort/v1`).
import { fractionOfDecimal, Fraction } from "../decision/exact.ts";
import { type SampleEntry, unitOf } from "../records/documents.ts";
import { compareByCodePoints, encodeText, hexOf, sha256 } from "../records/bytes.ts";

interface Family {
  key: string;
  ids: string[];
}

const SEPARATOR = "\u001f";

const keyOf = (seed: string, suite: string, group: string, name: string): string =>
  hexOf(sha256(encodeText([seed, suite, group, name].join(SEPARATOR))));

const byKey = (a: { key: string }, b: { key: string }): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

function sortMembers(seed: string, suite: string, family: string, ids: readonly string[]): string[] {
  if (ids.length === 1) return [...ids];
  return ids
    .map((id) => ({ id, key: keyOf(seed, suite, family, id) }))
    .sort(byKey)
    .map(({ id }) => id);
}

function groupByStratum(entries: readonly SampleEntry[], hasStrata: boolean): Map<string, Map<string, string[]>> {
  const strata = new Map<string, Map<string, string[]>>();
  for (const entry of entries) {
    const stratum = hasStrata ? entry.stratum : "";
    const families = strata.get(stratum) ?? new Map<string, string[]>();
    strata.set(stratum, families);
    const unit = unitOf(entry);
    const ids = families.get(unit);
    if (ids) ids.push(entry.id);
    else families.set(unit, [entry.id]);
  }
  return strata;
}

/** The ids of a suite's samples in their committed order. With weighted strata it ends where one runs dry. */
export function orderIds(
  seed: string,
  suite: string,
  entries: readonly SampleEntry[],
  strata: ReadonlyMap<string, string>,
): string[] {
  const queues = new Map<string, Family[]>();
  for (const [stratum, families] of groupByStratum(entries, strata.size > 0)) {
    const queue = [...families].map(([family, ids]) => ({
      key: keyOf(seed, suite, stratum, family),
      ids: sortMembers(seed, suite, family, ids),
    }));
    queues.set(stratum, queue.sort(byKey));
  }
  const [first, ...others] = queues.values();
  if (first !== undefined && others.length === 0) return first.flatMap(({ ids }) => ids);
  return interleave(queues, strata);
}

interface Waiting {
  stratum: string;
  due: Fraction;
  weight: Fraction;
  taken: bigint;
  next: number;
}

const isBefore = (a: Waiting, b: Waiting): boolean => {
  const order = a.due.compare(b.due);
  return order < 0 || (order === 0 && compareByCodePoints(a.stratum, b.stratum) < 0);
};

function sinkFirst(heap: Waiting[]): void {
  for (let at = 0; ; ) {
    let least = at;
    for (const child of [2 * at + 1, 2 * at + 2]) {
      if (child < heap.length && isBefore(heap[child] as Waiting, heap[least] as Waiting)) least = child;
    }
    if (least === at) return;
    [heap[at], heap[least]] = [heap[least] as Waiting, heap[at] as Waiting];
    at = least;
  }
}

// The next family comes from the stratum that is furthest behind its share; ties go to the stratum named first.
function interleave(queues: ReadonlyMap<string, Family[]>, strata: ReadonlyMap<string, string>): string[] {
  const heap: Waiting[] = [...queues.keys()].map((stratum) => {
    const weight = fractionOfDecimal(strata.get(stratum) as string);
    return { stratum, weight, due: new Fraction(1n).over(weight), taken: 0n, next: 0 };
  });
  heap.sort((a, b) => (isBefore(a, b) ? -1 : 1)); // a sorted list is a heap
  const result: string[] = [];
  for (;;) {
    const first = heap[0] as Waiting;
    const queue = queues.get(first.stratum) as Family[];
    const { ids } = queue[first.next] as Family;
    first.next += 1;
    first.taken += BigInt(ids.length);
    for (const id of ids) result.push(id);
    if (first.next === queue.length) return result; // beyond a stratum that ran dry the mixture would be another one
    first.due = new Fraction(first.taken + 1n).over(first.weight);
    sinkFirst(heap);
  }
}
