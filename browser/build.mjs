// Builds what is committed: the page (one HTML file) and the modules that Node runs the conformance vectors with.
//
//     node build.mjs [--check]     --check writes nothing and ends with 1 where a committed file is another
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const RUBRICS = here("../src/verilabel/rubric/data/");
const REPORT_STYLE = here("../src/verilabel/report/data/page.css");
const COMMON = {
  absWorkingDir: here("."),
  bundle: true,
  write: false,
  charset: "utf8",
  legalComments: "inline",
  logLevel: "warning",
  target: "es2023",
};

/** `id@version` to digest of the rubrics that come with the program: nobody else may use their names. */
function bundledRubrics() {
  const found = {};
  for (const name of readdirSync(RUBRICS).filter((file) => file.endsWith(".yaml")).sort()) {
    const data = readFileSync(RUBRICS + name);
    const [id, version] = ["id", "version"].map((key) => {
      const match = new RegExp(`^${key}: ([^\\s#]+)\\s*$`, "m").exec(data.toString("utf8"));
      if (!match) throw new Error(`${name}: no ${key} on a line of its own`);
      return match[1].replace(/^"|"$/g, "");
    });
    found[`${id}@${version}`] = `sha256:${createHash("sha256").update(data).digest("hex")}`;
  }
  return found;
}

async function bundle(entry, options) {
  const define = { BUNDLED_RUBRICS: JSON.stringify(bundledRubrics()) };
  const result = await build({ ...COMMON, ...options, define, entryPoints: [here(entry)] });
  return result.outputFiles[0].text;
}

const cspHash = (text) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;

async function buildPage() {
  const script = `\n${await bundle("src/page/main.ts", { format: "iife" })}`;
  if (/<\/script|<!--/i.test(script)) throw new Error("the script would end its own element");
  const style = `\n${[REPORT_STYLE, here("src/page/page.css")].map((file) => readFileSync(file, "utf8")).join("\n")}`;
  return readFileSync(here("src/page/page.html"), "utf8")
    .replace("SCRIPT_HASH", () => cspHash(script))
    .replace("STYLE_HASH", () => cspHash(style))
    .replace("/* STYLE */", () => style)
    .replace("/* SCRIPT */", () => script);
}

const buildModules = () => bundle("src/node.ts", { format: "esm", platform: "neutral", mainFields: ["module", "main"] });

const outputs = [
  ["../conformance/second/built.mjs", await buildModules()],
  ["../src/verilabel/browser/data/verifier.html", await buildPage()],
];
let differing = 0;
for (const [path, text] of outputs) {
  const file = here(path);
  if (process.argv.includes("--check")) {
    const isSame = existsSync(file) && readFileSync(file, "utf8") === text;
    if (!isSame) console.error(`${path} is not what the sources give: npm run build`);
    differing += isSame ? 0 : 1;
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`${path}: ${Buffer.byteLength(text)} bytes`);
  }
}
process.exitCode = differing ? 1 : 0;
