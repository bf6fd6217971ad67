// A bundle's container, read as if it were hostile: the files of a folder, or a zip whose every byte is determined.
//
// The zip form is stored, never compressed: entries in path order, fixed dates and flags, no gaps, no comment.
import { limitExceeded, malformed, sealError, type Failure } from "../errors.ts";
import { areEqual, encodeText, joinBytes } from "../records/bytes.ts";
import { checkPath, MAX_BUNDLE_BYTES, MAX_DOCUMENT_BYTES, MAX_FILES, MAX_PATH } from "./layout.ts";

/** Bytes that can be read in parts: a file in the page, a buffer in Node. */
export interface Source {
  readonly size: number;
  read(start: number, end: number): Promise<Uint8Array>;
}

/** A named file or link of a folder. */
export interface FolderEntry {
  path: string;
  source: Source | undefined;
  /** What it is where it is no plain file. */
  oddity?: "is a symbolic link; a bundle has none" | "is neither a file nor a folder" | "is an empty folder; a bundle has none";
}

/** Read access to the files of a bundle, in path order. */
export interface Container {
  readonly sizes: ReadonlyMap<string, number>;
  open(path: string): Source;
}

const CENTRAL_SIZE = 46;
const END_SIZE = 22;
const DOS_DATE = 33; // 1980-01-01
const VERSION = 20;
const UTF8_FLAG = 0x800;
const BLOCK = 2 ** 20;
const byPath = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : a > b ? 1 : 0);

const CRC_TABLES = makeCrcTables();

// Slicing by four: four table look-ups take four bytes at once.
function makeCrcTables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    first[byte] = value >>> 0;
  }
  const tables = [first];
  for (let k = 1; k < 4; k += 1) {
    const before = tables[k - 1] as Uint32Array;
    tables.push(first.map((_, byte) => ((before[byte] as number) >>> 8) ^ (first[(before[byte] as number) & 255] as number)));
  }
  return tables;
}

function extendCrc(crc: number, data: Uint8Array): number {
  const [t0, t1, t2, t3] = CRC_TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let value = ~crc;
  let at = 0;
  for (; at + 4 <= data.length; at += 4) {
    value ^=
      (data[at] as number) | ((data[at + 1] as number) << 8) | ((data[at + 2] as number) << 16) | ((data[at + 3] as number) << 24);
    value =
      (t3[value & 255] as number) ^ (t2[(value >>> 8) & 255] as number) ^ (t1[(value >>> 16) & 255] as number) ^ (t0[value >>> 24] as number);
  }
  for (; at < data.length; at += 1) value = (value >>> 8) ^ (t0[(value ^ (data[at] as number)) & 255] as number);
  return ~value >>> 0;
}

function pack(fields: readonly (readonly [number, number])[]): Uint8Array {
  const data = new Uint8Array(fields.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(data.buffer);
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return data;
}

function localHeader(name: string, size: number, crc: number): Uint8Array {
  const raw = encodeText(name);
  const head = pack([[4, 0x04034b50], [2, VERSION], [2, UTF8_FLAG], [2, 0], [2, 0], [2, DOS_DATE], [4, crc], [4, size], [4, size], [2, raw.length], [2, 0]]);
  return joinBytes(head, raw);
}

function centralHeader(name: string, size: number, crc: number, offset: number): Uint8Array {
  const raw = encodeText(name);
  const head = pack([
    [4, 0x02014b50], [2, VERSION], [2, VERSION], [2, UTF8_FLAG], [2, 0], [2, 0], [2, DOS_DATE], [4, crc], [4, size], [4, size],
    [2, raw.length], [2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, offset],
  ]);
  return joinBytes(head, raw);
}

const endRecord = (count: number, size: number, offset: number): Uint8Array =>
  pack([[4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]]);

class Part implements Source {
  constructor(
    private readonly whole: Source,
    private readonly start: number,
    readonly size: number,
  ) {}

  read(start: number, end: number): Promise<Uint8Array> {
    return this.whole.read(this.start + start, this.start + Math.min(end, this.size));
  }
}

class ZipReader {
  constructor(
    private readonly source: Source,
    private readonly name: string,
  ) {}

  async read(): Promise<Container> {
    const size = this.source.size;
    if (size < END_SIZE) throw this.odd("too short to be a zip");
    const end = new DataView((await this.bytes(size - END_SIZE, END_SIZE)).slice().buffer);
    const count = end.getUint16(10, true);
    const directorySize = end.getUint32(12, true);
    const directoryAt = end.getUint32(16, true);
    const isOdd = end.getUint32(0, true) !== 0x06054b50 || end.getUint16(20, true) !== 0 || count > MAX_FILES;
    if (isOdd || directoryAt + directorySize !== size - END_SIZE) {
      throw this.odd("not a zip in the bundle's canonical form (is it compressed, or was it repacked?)");
    }
    if (directorySize > count * (CENTRAL_SIZE + MAX_PATH)) throw this.odd("its directory is larger than its paths need");
    const directory = await this.bytes(directoryAt, directorySize);
    return this.checkCanonical(this.readDirectory(directory, count), directory, directoryAt);
  }

  private readDirectory(directory: Uint8Array, count: number): Map<string, { size: number; crc: number }> {
    const entries = new Map<string, { size: number; crc: number }>();
    const view = new DataView(directory.buffer, directory.byteOffset, directory.length);
    let at = 0;
    for (let i = 0; i < count; i += 1) {
      if (at + CENTRAL_SIZE > directory.length) throw this.odd("its directory is cut");
      const length = view.getUint16(at + 28, true);
      const raw = directory.subarray(at + CENTRAL_SIZE, at + CENTRAL_SIZE + length);
      if (raw.some((byte) => byte > 127)) throw this.odd("a path is not ASCII");
      const name = checkPath(String.fromCharCode(...raw));
      if (entries.has(name)) throw this.odd(`${name} stands twice`);
      entries.set(name, { size: view.getUint32(at + 24, true), crc: view.getUint32(at + 16, true) });
      at += CENTRAL_SIZE + length;
    }
    return entries;
  }

  private async checkCanonical(
    entries: Map<string, { size: number; crc: number }>,
    directory: Uint8Array,
    directoryAt: number,
  ): Promise<Container> {
    const names = [...entries.keys()];
    if (names.some((name, i) => i > 0 && name < (names[i - 1] as string))) throw this.odd("its paths are not in order");
    const expected: Uint8Array[] = [];
    const offsets = new Map<string, number>();
    let offset = 0;
    for (const [name, { size, crc }] of entries) {
      const local = localHeader(name, size, crc);
      if (!areEqual(await this.bytes(offset, local.length), local)) throw this.odd(`the header of ${name} is not canonical`);
      expected.push(centralHeader(name, size, crc, offset));
      offsets.set(name, offset + local.length);
      offset += local.length + size;
    }
    const whole = joinBytes(...expected);
    const trailer = await this.bytes(directoryAt + whole.length, END_SIZE);
    const isCanonical = offset === directoryAt && areEqual(whole, directory);
    if (!isCanonical || !areEqual(trailer, endRecord(entries.size, whole.length, offset))) {
      throw this.odd("its directory is not canonical");
    }
    for (const [name, { size, crc }] of entries) {
      if ((await this.checksum(offsets.get(name) as number, size)) !== crc) {
        throw sealError(`${name} does not have its checksum`, this.name);
      }
    }
    const sizes = new Map([...entries].map(([name, { size }]) => [name, size]));
    return { sizes, open: (path) => new Part(this.source, offsets.get(path) as number, sizes.get(path) as number) };
  }

  private async checksum(offset: number, size: number): Promise<number> {
    let crc = 0;
    for (let at = 0; at < size; at += BLOCK * 8) {
      crc = extendCrc(crc, await this.bytes(offset + at, Math.min(size - at, BLOCK * 8)));
    }
    return crc;
  }

  private async bytes(offset: number, size: number): Promise<Uint8Array> {
    const data = await this.source.read(offset, offset + size);
    if (data.length !== size) throw this.odd("it is cut short");
    return data;
  }

  private odd(what: string): Failure {
    return sealError(`not a bundle: ${what}`, this.name);
  }
}

function readFolder(entries: readonly FolderEntry[], name: string): Container {
  const files = new Map<string, Source>();
  for (const { path, source, oddity } of entries) {
    checkPath(path);
    if (oddity !== undefined || source === undefined) throw malformed(`${path} ${oddity ?? "cannot be read"}`, name);
    files.set(path, source);
    if (files.size > MAX_FILES) throw limitExceeded(`more than ${MAX_FILES} files`, name);
  }
  const sizes = new Map([...files].map(([path, source]) => [path, source.size] as const).sort(byPath));
  return { sizes, open: (path) => files.get(path) as Source };
}

/** What a bundle is opened from: one file, or the entries of a folder. */
export type Opening = { name: string; zip: Source } | { name: string; folder: readonly FolderEntry[] };

/** Open a bundle. Refuses one that is not what it must be to its last byte. */
export async function openContainer(opening: Opening): Promise<Container> {
  const container =
    "zip" in opening ? await new ZipReader(opening.zip, opening.name).read() : readFolder(opening.folder, opening.name);
  const total = [...container.sizes.values()].reduce((sum, size) => sum + size, 0);
  if (total > MAX_BUNDLE_BYTES) throw limitExceeded(`larger than ${MAX_BUNDLE_BYTES} bytes`, opening.name);
  return container;
}

/** A small file of a bundle. Refuses one that is missing or large. */
export async function readDocument(container: Container, path: string): Promise<Uint8Array> {
  const size = container.sizes.get(path);
  if (size === undefined) throw malformed("the file is missing", path);
  if (size > MAX_DOCUMENT_BYTES) throw limitExceeded(`over ${MAX_DOCUMENT_BYTES} bytes`, path);
  const data = await container.open(path).read(0, size);
  if (data.length !== size) throw malformed("it became shorter while it was read", path);
  return data;
}
