// The manifest `bundle.json`: every sealed file of a bundle with its size and digest.
import { malformed, quote } from "../errors.ts";
import { digestOfBytes, isDigest } from "../records/bytes.ts";
import { type Manifest, MANIFEST_FORM } from "../records/documents.ts";
import { convert, convertCanonical } from "../records/forms.ts";
import { isObject, type Json, parseJson } from "../records/json.ts";
import { BUNDLE_FORMAT, checkPath, isUnlisted, MANIFEST, REQUIRED, roleOf } from "./layout.ts";

const show = (value: Json | undefined): string =>
  typeof value === "string" ? quote(value) : value === undefined || value === null ? "None" : String(value);

export interface SealedManifest extends Manifest {
  digest: string;
}

/** Read `bundle.json` strictly. */
export function parseManifest(data: Uint8Array): SealedManifest {
  const document = parseJson(data, MANIFEST);
  const found = isObject(document) ? document.get("format") : undefined;
  if (found !== BUNDLE_FORMAT) {
    throw malformed(`format ${show(found)} is not known to this version`, `${MANIFEST} $.format`, `it reads ${BUNDLE_FORMAT}`);
  }
  const { value: manifest } = convert(MANIFEST_FORM, document, MANIFEST);
  manifest.entries.forEach((entry, index) => {
    const where = `${MANIFEST} $.entries[${index}]`;
    checkPath(entry.path);
    if (isUnlisted(entry.path) || entry.role !== roleOf(entry.path)) {
      throw malformed(`${entry.path} may not be listed with the role ${quote(entry.role)}`, where);
    }
    if (!isDigest(entry.sha256) || entry.size < 0) throw malformed(`${entry.path} has no proper digest or size`, where);
  });
  const paths = manifest.entries.map((entry) => entry.path);
  if (paths.some((path, i) => i > 0 && path <= (paths[i - 1] as string))) {
    throw malformed("the entries are not in path order, or one stands twice", MANIFEST);
  }
  const missing = REQUIRED.find((path) => !paths.includes(path));
  if (missing !== undefined) throw malformed(`a bundle needs ${missing}`, MANIFEST);
  convertCanonical(MANIFEST_FORM, document, data, MANIFEST);
  return { ...manifest, digest: digestOfBytes(data) };
}

/** Check that exactly the listed files are there, in their sizes. */
export function checkPresence(manifest: Manifest, sizes: ReadonlyMap<string, number>): void {
  const listed = new Map(manifest.entries.map((entry) => [entry.path, entry.size]));
  for (const [path, size] of listed) {
    const found = sizes.get(path);
    if (found === undefined) throw malformed(`${path} is listed and not there`, MANIFEST);
    if (found !== size) throw malformed(`${path} has ${found} bytes, the manifest says ${size}`, MANIFEST);
  }
  for (const path of sizes.keys()) {
    if (!listed.has(path) && !isUnlisted(path)) throw malformed(`${path} is there and not listed`, MANIFEST);
  }
}
