// Bundles of a file system as the verifier opens them: the entries of a folder, or the bytes of a zip.
import { lstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";

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

export const openingOf = (path) =>
  statSync(path).isDirectory() ? { name: path, folder: folderEntries(path) } : { name: path, zip: fileSource(path) };
