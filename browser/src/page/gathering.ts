// From what a reader drops or picks to bundles, policies and statements.
import type { ChosenBundle, ChosenFile } from "./protocol.ts";

const MOST_ENTRIES = 2_000;

/** What was dropped or picked, told apart by what it is called. */
export interface Chosen {
  bundles: ChosenBundle[];
  trust: ChosenFile[];
  statements: ChosenFile[];
  unknown: string[];
}

const nothing = (): Chosen => ({ bundles: [], trust: [], statements: [], unknown: [] });

function sort(chosen: Chosen, name: string, file: File): void {
  if (/\.zip$/i.test(name)) chosen.bundles.push({ name, file });
  else if (/\.ya?ml$/i.test(name)) chosen.trust.push({ name, file });
  else if (/\.json$/i.test(name)) chosen.statements.push({ name, file });
  else chosen.unknown.push(name);
}

/** Files that were picked one by one. */
export function gatherFiles(files: Iterable<File>): Chosen {
  const chosen = nothing();
  for (const file of files) sort(chosen, file.name, file);
  return chosen;
}

/** A folder that was picked: its files, by their paths inside it. */
export function gatherFolder(files: Iterable<File>): ChosenBundle | undefined {
  const listed = [...files];
  const first = listed[0];
  if (first === undefined) return undefined;
  const inside = (file: File): string => file.webkitRelativePath.split("/").slice(1).join("/");
  const entries = listed.slice(0, MOST_ENTRIES).map((file) => ({ path: inside(file), file }));
  return { name: first.webkitRelativePath.split("/")[0] ?? "folder", entries };
}

const fileOf = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject));

// A browser gives a folder's entries in parts, until it gives none.
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return all;
    all.push(...part);
    if (all.length > MOST_ENTRIES) return all;
  }
}

type FolderEntries = Extract<ChosenBundle, { entries: unknown }>["entries"];

async function walkFolder(folder: FileSystemDirectoryEntry, prefix: string, found: FolderEntries): Promise<void> {
  const entries = await entriesOf(folder);
  if (prefix !== "" && entries.length === 0) {
    found.push({ path: prefix.slice(0, -1), file: undefined, oddity: "is an empty folder; a bundle has none" });
  }
  for (const entry of entries) {
    if (found.length > MOST_ENTRIES) return;
    const path = prefix + entry.name;
    if (entry.isDirectory) await walkFolder(entry as FileSystemDirectoryEntry, `${path}/`, found);
    else found.push({ path, file: await fileOf(entry as FileSystemFileEntry) });
  }
}

/** What was dropped: folders become bundles, files are told apart by their names. */
export async function gatherDropped(data: DataTransfer): Promise<Chosen> {
  // The list of items is emptied as soon as this function first waits.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  const files = [...data.files];
  if (entries.every((entry) => entry === null)) return gatherFiles(files);
  const chosen = nothing();
  for (const entry of entries) {
    if (entry?.isDirectory) {
      const found: FolderEntries = [];
      await walkFolder(entry as FileSystemDirectoryEntry, "", found);
      chosen.bundles.push({ name: entry.name, entries: found });
    } else if (entry?.isFile) sort(chosen, entry.name, await fileOf(entry as FileSystemFileEntry));
  }
  return chosen;
}

interface Listing {
  name: string;
  zip?: string;
  entries?: { path: string; file?: string; oddity?: NonNullable<FolderEntries[number]["oddity"]> }[];
  trust?: { name: string; file: string };
  statements?: { name: string; file: string }[];
}

/** What `verilabel verify --page` serves beside this page; undefined where the page was opened from a file. */
export async function gatherServed(): Promise<Chosen | undefined> {
  const place = document.querySelector('meta[name="verilabel-served"]')?.getAttribute("content");
  if (!place) return undefined;
  const blobOf = async (path: string): Promise<Blob> => {
    const response = await fetch(`${place}${path}`, { credentials: "omit", redirect: "error" });
    if (!response.ok) throw new Error(`the server did not give ${path}: ${response.status}`);
    return response.blob();
  };
  const listing = JSON.parse(await (await blobOf("listing.json")).text()) as Listing;
  const chosen = nothing();
  if (listing.zip !== undefined) chosen.bundles.push({ name: listing.name, file: await blobOf(listing.zip) });
  if (listing.entries !== undefined) {
    const entries: FolderEntries = [];
    for (const { path, file, oddity } of listing.entries) {
      entries.push({ path, file: file === undefined ? undefined : await blobOf(file), ...(oddity ? { oddity } : {}) });
    }
    chosen.bundles.push({ name: listing.name, entries });
  }
  if (listing.trust) chosen.trust.push({ name: listing.trust.name, file: await blobOf(listing.trust.file) });
  for (const { name, file } of listing.statements ?? []) chosen.statements.push({ name, file: await blobOf(file) });
  return chosen;
}
