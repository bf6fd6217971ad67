// `results/measures.json` as a pure function of what was counted.
import { compareByCodePoints } from "../records/bytes.ts";
import type { MeasuredErrors, Tally } from "../records/documents.ts";
import { canonicalBytes } from "../records/json.ts";
import type { Recount } from "./counting.ts";

function tallyDocument(tally: Tally): Record<string, unknown> {
  const { measure, n, events, errors } = tally;
  const kept = (value: unknown, otherwise: unknown): unknown => (value === otherwise ? undefined : value);
  return {
    measure,
    n,
    events,
    missing: kept(tally.missing, 0),
    unit: kept(tally.unit, "item"),
    population: kept(tally.population, "items_sampled"),
    clusters: tally.clusters.length > 0 ? tally.clusters : undefined,
    pool: kept(tally.pool, null),
    exact: kept(tally.exact, false),
    errors: errors === null ? undefined : errorsDocument(errors),
    complement: kept(tally.complement, false),
    n_planned: kept(tally.n_planned, 0),
  };
}

function errorsDocument(errors: MeasuredErrors): Record<string, unknown> {
  return { ...errors, method: errors.method === "" ? undefined : errors.method };
}

/** `results/measures.json`: every measure's counts, how far each stream went, and what was asked and failed. */
export function measuresBytes(recount: Recount): Uint8Array {
  const served = [...recount.served.values()]
    .sort((a, b) => compareByCodePoints(a.model, b.model) || compareByCodePoints(a.fingerprint, b.fingerprint))
    .map(({ model, fingerprint, answers }) => ({ served_model: model, fingerprint, answers }));
  return canonicalBytes({
    format: "verilabel/measures/v1",
    measures: new Map([...recount.tallies()].map(([name, tally]) => [name, tallyDocument(tally)])),
    streams: recount.streams.map((s) => ({ suite: s.stream.suite, answers: s.consumed, planned: s.length })),
    totals: {
      requests: recount.requests,
      judge_requests: recount.judgeRequests,
      input_tokens: recount.inputTokens,
      output_tokens: recount.outputTokens,
    },
    failures: recount.failures,
    served,
  });
}
