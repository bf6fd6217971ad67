// The records behind a row: a list in pages, and the exact exchange of one answer.
import { make } from "./drawing.ts";
import type { ExchangeRecord, RecordFilter, RecordItem, ReportRow } from "./protocol.ts";
import { eventWords, sayNumber, withheldWords } from "./words.ts";

const A_PAGE = 50;
const MOST_CHARACTERS = 6_000;

/** Where the records come from. */
export interface RecordSource {
  list(measure: string, filter: RecordFilter, from: number, count: number): Promise<{ total: number; items: RecordItem[] }>;
  exchange(suite: string, position: number): Promise<ExchangeRecord[]>;
}

const FINDINGS: Record<RecordItem["finding"], string> = { event: "event", no_event: "no event", missing: "missing" };
const NAMES: Record<string, string> = {
  request: "Request, as it was sent",
  response: "Response, as it came",
  response_base64: "Response, as it came (base64)",
  output: "Answer, as it was read",
  detail: "What the detector saw",
  reason: "Why there is no finding",
  failure: "What was said of the failure",
};

// Harmful or hostile: a text is shown when the reader asks for it, and long ones in parts.
function hiddenText(name: string, text: string): HTMLElement {
  const button = make("button", { type: "button", class: "quiet", "aria-expanded": "false" }, "Show text");
  const box = make("div", { class: "hidden-text" });
  let shown = 0;
  const showMore = (): void => {
    shown += MOST_CHARACTERS;
    const more = make("button", { type: "button", class: "quiet" }, `Show more (${sayNumber(text.length - shown)} characters)`);
    more.addEventListener("click", showMore);
    box.replaceChildren(
      make("pre", { class: "text", tabindex: 0 }, text.slice(0, shown)),
      ...(shown < text.length ? [more] : []),
    );
  };
  button.addEventListener("click", () => {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    button.textContent = isOpen ? "Show text" : "Hide text";
    shown = 0;
    if (isOpen) box.replaceChildren();
    else showMore();
  });
  const says = `${NAMES[name] ?? name} (${sayNumber(text.length)} characters)`;
  return make("div", { class: "exchange-text" }, make("p", {}, `${says} `, button), box);
}

const KINDS: Record<string, string> = {
  attempt: "Attempt",
  sealed: "Withheld attempt",
  score: "Score",
  unscored: "No score",
};

function showRecord(record: ExchangeRecord): HTMLElement {
  const facts = record.facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", { class: "digest" }, value)]);
  return make(
    "li",
    {},
    make("h5", {}, `${KINDS[record.kind] ?? record.kind}, line ${sayNumber(record.line)} of the evidence`),
    make("dl", { class: "record-facts" }, ...facts),
    record.kind === "sealed" && make("p", { class: "withheld" }, withheldWords),
    ...record.texts.map(([name, text]) => hiddenText(name, text)),
  );
}

class RecordsPanel {
  readonly element: HTMLElement;
  private readonly list = make("ol", { class: "records-list" });
  private readonly says = make("p", { class: "soft", role: "status", "aria-live": "polite" });
  private readonly buttons = new Map<string, HTMLButtonElement>();
  private filter: RecordFilter = "all";
  private from = 0;
  private total = 0;

  constructor(
    private readonly row: ReportRow,
    private readonly source: RecordSource,
  ) {
    const choice = make("select", {}, ...this.filters());
    choice.addEventListener("change", () => {
      this.filter = choice.value as RecordFilter;
      void this.show(0);
    });
    const pager = make(
      "div",
      { class: "pager" },
      this.button("First", () => 0),
      this.button("Previous", () => this.from - A_PAGE),
      this.button("Next", () => this.from + A_PAGE),
      this.button("Last", () => Math.floor((this.total - 1) / A_PAGE) * A_PAGE),
    );
    const choose = make("label", { class: "filter" }, "Show ", choice);
    this.element = make("div", { class: "records" }, choose, this.says, this.list, pager);
  }

  private filters(): HTMLOptionElement[] {
    const { event, isNegated } = this.row;
    const options: [RecordFilter, string][] = [
      ["all", "all answers"],
      ["event", eventWords(event, isNegated)],
      ["no_event", eventWords(event, !isNegated)],
      ["missing", "missing answers"],
    ];
    return options.map(([value, words]) => make("option", { value }, words));
  }

  private button(name: string, target: () => number): HTMLButtonElement {
    const button = make("button", { type: "button", class: "quiet" }, name);
    button.addEventListener("click", () => void this.show(target()));
    this.buttons.set(name, button);
    return button;
  }

  async show(from: number): Promise<void> {
    this.from = Math.max(0, from);
    const { total, items } = await this.source.list(this.row.measure ?? "", this.filter, this.from, A_PAGE);
    this.total = total;
    const end = Math.min(total, this.from + items.length);
    this.says.textContent =
      total === 0 ? "None." : `${sayNumber(this.from + 1)} to ${sayNumber(end)} of ${sayNumber(total)}, in the committed order`;
    this.list.replaceChildren(...items.map((item) => this.item(item)));
    this.list.setAttribute("start", String(this.from + 1));
    for (const name of ["First", "Previous"]) (this.buttons.get(name) as HTMLButtonElement).disabled = this.from === 0;
    for (const name of ["Next", "Last"]) (this.buttons.get(name) as HTMLButtonElement).disabled = end >= total;
  }

  private item(item: RecordItem): HTMLElement {
    const epoch = item.epoch > 1 ? `, repetition ${item.epoch}` : "";
    const button = make("button", { type: "button", class: "sample-button", "aria-expanded": "false" }, item.sample + epoch);
    const finding = make("span", { class: `finding ${item.finding}` }, FINDINGS[item.finding]);
    const withheld = item.isWithheld && make("span", { class: "finding withheld" }, "withheld");
    const box = make("ul", { class: "exchange" });
    button.addEventListener("click", () => void this.toggle(button, box, item));
    return make("li", {}, make("div", { class: "record" }, button, finding, withheld), box);
  }

  private async toggle(button: HTMLButtonElement, box: HTMLElement, item: RecordItem): Promise<void> {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) {
      box.replaceChildren();
      return;
    }
    const records = await this.source.exchange(item.suite, item.position);
    box.replaceChildren(...records.map(showRecord));
  }
}

/** A button that opens the list of a row's answers below it. */
export function offerRecords(row: ReportRow, source: RecordSource): HTMLElement {
  const button = make("button", { type: "button", class: "open-records", "aria-expanded": "false" }, "Look at the answers");
  const box = make("div", {});
  button.addEventListener("click", () => {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    button.textContent = isOpen ? "Look at the answers" : "Close the answers";
    box.replaceChildren();
    if (isOpen) return;
    const panel = new RecordsPanel(row, source);
    box.replaceChildren(panel.element);
    void panel.show(0);
  });
  return make("div", { class: "behind" }, button, box);
}
