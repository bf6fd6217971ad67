// A row as an interval against its threshold.
import { draw } from "./drawing.ts";
import type { ReportRow } from "./protocol.ts";
import { sayPercent, sayRow, sayThreshold, statusWord } from "./words.ts";

const WIDTH = 520;
const HEIGHT = 58;
const LEFT = 14;
const RIGHT = WIDTH - 14;
const MIDDLE = 22;
const BASE = 38;
const SQRT_BELOW = 0.2;

const rateOf = (text: string | null): number | undefined => {
  const rate = Number(text ?? Number.NaN);
  return Number.isFinite(rate) ? Math.min(1, Math.max(0, rate)) : undefined;
};

/** The drawing of a row; undefined where there is no interval. */
export function drawInterval(row: ReportRow): SVGElement | undefined {
  const [lower, upper, rate] = [rateOf(row.lower), rateOf(row.upper), rateOf(row.rate)];
  if (lower === undefined || upper === undefined || rate === undefined) return undefined;
  const limit = rateOf(row.threshold);
  const reach = Math.max(upper, rate, limit ?? 0);
  const top = reach > 0.5 ? 1 : Math.min(1, reach * 1.25 || 0.01);
  const isRoot = top < SQRT_BELOW;
  const x = (value: number): number => {
    const share = Math.min(1, value / top);
    return LEFT + (RIGHT - LEFT) * (isRoot ? Math.sqrt(share) : share);
  };
  const line = (x1: number, y1: number, x2: number, y2: number, style: string): SVGElement =>
    draw("line", { x1: x1.toFixed(1), y1, x2: x2.toFixed(1), y2, class: style });
  const label = (value: number, anchor: string, style = ""): SVGElement =>
    draw("text", { x: x(value).toFixed(1), y: BASE + 15, "text-anchor": anchor, class: style }, sayPercent(String(value)));
  const isUpward = row.op?.startsWith(">") ?? false;
  const [from, to] = isUpward ? [x(limit ?? top), RIGHT] : [LEFT, x(limit ?? 0)];
  const says = `${row.title} ${sayThreshold(row)}: ${statusWord(row.status)}. ${sayRow(row)}`;
  return draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "plot", role: "img", "aria-label": says },
    limit !== undefined &&
      draw("rect", { x: from.toFixed(1), y: 6, width: Math.max(0, to - from).toFixed(1), height: BASE - 6, class: "allowed" }),
    line(LEFT, BASE, RIGHT, BASE, "axis"),
    line(x(lower), MIDDLE, x(upper), MIDDLE, `interval ${row.status}`),
    line(x(lower), MIDDLE - 6, x(lower), MIDDLE + 6, `cap ${row.status}`),
    line(x(upper), MIDDLE - 6, x(upper), MIDDLE + 6, `cap ${row.status}`),
    draw("circle", { cx: x(rate).toFixed(1), cy: MIDDLE, r: 5, class: `rate ${row.status}` }),
    limit !== undefined && line(x(limit), 2, x(limit), BASE + 2, "threshold"),
    label(0, "start"),
    label(top, "end"),
    limit !== undefined && limit > top * 0.12 && limit < top * 0.85 && label(limit, "middle", "threshold-label"),
  );
}
