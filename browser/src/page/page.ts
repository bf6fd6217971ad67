// The page itself: what was chosen, the worker that verifies it, and where the finding is drawn.
import { STEPS } from "../verifier/verifier.ts";
import { make, showUnseen } from "./drawing.ts";
import { type Chosen, gatherDropped, gatherFiles, gatherFolder, gatherServed } from "./gathering.ts";
import type { ChosenBundle, ChosenFile, ExchangeRecord, FromWorker, RecordFilter, RecordItem, ToWorker } from "./protocol.ts";
import type { RecordSource } from "./records.ts";
import { drawResult } from "./result.ts";

function byId<T extends HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no ${id}`);
  return element as T;
}

type Reply = Extract<FromWorker, { id: number }>;

/** The worker, asked one question at a time; a new verification begins with a new one. */
class Verifier implements RecordSource {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, (reply: Reply) => void>();
  private asked = 0;

  constructor(
    scriptUrl: string,
    private readonly onMessage: (message: FromWorker) => void,
  ) {
    this.worker = new Worker(scriptUrl);
    this.worker.addEventListener("message", (event: MessageEvent<FromWorker>) => this.take(event.data));
    this.worker.addEventListener("error", (event) => {
      onMessage({ kind: "stopped", message: event.message || "the verifier could not be started" });
    });
  }

  private take(message: FromWorker): void {
    if (!("id" in message)) {
      this.onMessage(message);
      return;
    }
    this.waiting.get(message.id)?.(message);
    this.waiting.delete(message.id);
  }

  send(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private ask(question: (id: number) => ToWorker): Promise<Reply> {
    this.asked += 1;
    const id = this.asked;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.send(question(id));
    });
  }

  async list(measure: string, filter: RecordFilter, from: number, count: number): Promise<{ total: number; items: RecordItem[] }> {
    const reply = await this.ask((id) => ({ kind: "records", id, measure, filter, from, count }));
    return reply.kind === "records" ? reply : { total: 0, items: [] };
  }

  async exchange(suite: string, position: number): Promise<ExchangeRecord[]> {
    const reply = await this.ask((id) => ({ kind: "exchange", id, suite, position }));
    return reply.kind === "exchange" ? reply.records : [];
  }

  stop(): void {
    this.worker.terminate();
  }
}

class Page {
  private bundle: ChosenBundle | undefined;
  private trust: ChosenFile | undefined;
  private statements: ChosenFile[] = [];
  private references: ChosenBundle[] = [];
  private verifier: Verifier | undefined;

  constructor(private readonly scriptUrl: string) {}

  listen(): void {
    const onPick = (id: string, take: (files: File[]) => void): void => {
      const input = byId<HTMLInputElement>(id);
      input.addEventListener("change", () => take([...(input.files ?? [])]));
    };
    onPick("pick-zip", (files) => this.take(gatherFiles(files)));
    onPick("pick-folder", (files) => {
      const bundle = gatherFolder(files);
      if (bundle) this.take({ bundles: [bundle], trust: [], statements: [], unknown: [] });
    });
    onPick("pick-trust", (files) => this.take(gatherFiles(files)));
    onPick("pick-statements", (files) => this.take(gatherFiles(files)));
    onPick("pick-references", (files) => {
      this.references = gatherFiles(files).bundles;
      this.verify();
    });
    this.listenForDrops();
  }

  private listenForDrops(): void {
    const drop = byId("drop");
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    document.addEventListener("dragleave", () => drop.classList.remove("over"));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      if (event.dataTransfer === null) return;
      gatherDropped(event.dataTransfer).then(
        (chosen) => this.take(chosen),
        (error: Error) => this.say(`What was dropped cannot be read: ${error.message}`),
      );
    });
  }

  take(chosen: Chosen): void {
    const [bundle] = chosen.bundles;
    if (bundle !== undefined) this.bundle = bundle;
    if (chosen.trust[0] !== undefined) this.trust = chosen.trust[0];
    if (chosen.statements.length > 0) this.statements = chosen.statements;
    if (chosen.unknown.length > 0) {
      this.say(`Not a bundle, policy or statement: ${chosen.unknown.slice(0, 5).join(", ")}`);
      if (bundle === undefined) return;
    }
    this.verify();
  }

  private say(text: string): void {
    byId("status").textContent = showUnseen(text);
  }

  private listChosen(): void {
    const remove = (name: string, drop: () => void): HTMLElement => {
      const button = make("button", { type: "button", class: "quiet", "aria-label": `Remove ${name}` }, "Remove");
      button.addEventListener("click", () => {
        drop();
        this.verify();
      });
      return button;
    };
    const items: HTMLElement[] = [];
    if (this.bundle) items.push(make("li", {}, `Bundle: ${this.bundle.name}`));
    if (this.trust) {
      const drop = (): void => void (this.trust = undefined);
      items.push(make("li", {}, `Trust policy: ${this.trust.name} `, remove(this.trust.name, drop)));
    }
    for (const statement of this.statements) {
      const drop = (): void => void (this.statements = this.statements.filter((other) => other !== statement));
      items.push(make("li", {}, `Statement: ${statement.name} `, remove(statement.name, drop)));
    }
    for (const reference of this.references) {
      const drop = (): void => void (this.references = this.references.filter((other) => other !== reference));
      items.push(make("li", {}, `Reference bundle: ${reference.name} `, remove(reference.name, drop)));
    }
    byId("chosen").replaceChildren(...items);
  }

  private verify(): void {
    this.listChosen();
    this.verifier?.stop();
    this.verifier = undefined;
    byId("result").replaceChildren();
    if (this.bundle === undefined) return;
    const { bundle, trust, statements, references } = this;
    const verifier = new Verifier(this.scriptUrl, (message) => this.hear(verifier, message));
    this.verifier = verifier;
    this.showProgress(0);
    this.say("Checking …");
    verifier.send({ kind: "verify", bundle, trust, statements, references, now: Date.now() });
  }

  private showProgress(value: number | undefined): void {
    const progress = byId<HTMLProgressElement>("progress");
    progress.hidden = value === undefined;
    if (value !== undefined) progress.value = value;
  }

  private hear(verifier: Verifier, message: FromWorker): void {
    if (verifier !== this.verifier) return;
    switch (message.kind) {
      case "progress": {
        const name = STEPS[message.step - 1] ?? "";
        this.say(`Checking step ${message.step} of ${STEPS.length}: ${name} …`);
        this.showProgress((message.step - 1 + (message.share ?? 0)) / STEPS.length);
        break;
      }
      case "done": {
        this.showProgress(undefined);
        const { report } = message;
        const found = report.failure ? report.failure.message : report.levelName;
        this.say(`Checked: ${[found, ...report.badges.map(({ word }) => word)].join("; ")}`);
        byId("result").replaceChildren(drawResult(report, verifier));
        byId("label").focus({ preventScroll: true });
        break;
      }
      case "stopped":
        this.showProgress(undefined);
        this.say(`Nothing was verified: ${message.message}`);
        break;
    }
  }
}

/** Start the page. Its own script, run again without a document, is the worker. */
export function startPage(script: string): void {
  const scriptUrl = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const page = new Page(scriptUrl);
  page.listen();
  gatherServed().then(
    (chosen) => chosen && page.take(chosen),
    (error: Error) => {
      byId("status").textContent = `The served bundle cannot be read: ${error.message}`;
    },
  );
}
