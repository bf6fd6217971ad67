// Verifies bundles with the implementation of the page, outside a browser: one finding a line, as JSON.
//
//     node conformance/second/verify.mjs [--now TIME] [--trust FILE] [--statement FILE] [--reference BUNDLE] BUNDLE ...
//
// Ends with 0 whatever is found; a finding's own outcome is in its lines.
import { lstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseSigned, parseTrust, verifyBundle } from "./built.mjs";

function fileSource(path) {
  const size = statSync(path).size;
  let descriptor;
  return {
    size,
    async read(start, end) {
      descriptor ??= openSync(path, "r");
      const data = new Uint8Array(Math.max(0, Math.min(end, size) - start));
      let filled = 0;
      while (filled < data.length) {
        const count = readSync(descriptor, data, filled, data.length - filled, start + filled);
        if (count === 0) break;
        filled += count;
      }
      return data.subarray(0, filled);
    },
  };
}

function folderEntries(root, prefix = "") {
  const names = readdirSync(join(root, prefix));
  if (prefix && names.length === 0) {
    return [{ path: prefix.slice(0, -1), source: undefined, oddity: "is an empty folder; a bundle has none" }];
  }
  return names.flatMap((name) => {
    const path = prefix + name;
    const found = lstatSync(join(root, path));
    if (found.isSymbolicLink()) return [{ path, source: undefined, oddity: "is a symbolic link; a bundle has none" }];
    if (found.isDirectory()) return folderEntries(root, `${path}/`);
    if (!found.isFile()) return [{ path, source: undefined, oddity: "is neither a file nor a folder" }];
    return [{ path, source: fileSource(join(root, path)) }];
  });
}

const openingOf = (path) =>
  statSync(path).isDirectory() ? { name: path, folder: folderEntries(path) } : { name: path, zip: fileSource(path) };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    now: { type: "string" },
    trust: { type: "string" },
    statement: { type: "string", multiple: true, default: [] },
    reference: { type: "string", multiple: true, default: [] },
  },
});
const options = {
  now: values.now ? Date.parse(values.now) : Date.now(),
  trust: values.trust ? parseTrust(readFileSync(values.trust), values.trust) : undefined,
  beside: await Promise.all(values.statement.map((path) => parseSigned(readFileSync(path), path))),
};
options.references = [];
for (const path of values.reference) options.references.push((await verifyBundle(openingOf(path), options)).verification);
for (const path of positionals) {
  const started = performance.now();
  const { verification } = await verifyBundle(openingOf(path), options);
  const { label, system, plan, tallies, ...rest } = verification;
  const written = { ...rest, tallies: Object.fromEntries(tallies), milliseconds: Math.round(performance.now() - started) };
  console.log(JSON.stringify(written));
}
