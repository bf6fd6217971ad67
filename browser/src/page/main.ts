// One script, two lives: in the document it is the page, in a worker the verifier.
import { startPage } from "./page.ts";
import { startWorker } from "./worker.ts";

if (typeof document === "undefined") startWorker();
else startPage(document.currentScript?.textContent ?? "");
