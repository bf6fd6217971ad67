// SHA-256 of whole files: by WebCrypto, beside other work, where a file fits in memory at once; else block by block.
import { DIGEST_PREFIX, hexOf, sha256 } from "../records/bytes.ts";
import type { Source } from "./container.ts";

const AT_ONCE = 256 * 2 ** 20;
const BLOCK = 8 * 2 ** 20;

/** The digest of a file. */
export async function digestOfSource(source: Source): Promise<string> {
  if (source.size <= AT_ONCE) {
    const data = await source.read(0, source.size);
    const hash = await crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>);
    return DIGEST_PREFIX + hexOf(new Uint8Array(hash));
  }
  const hash = sha256.create();
  for (let at = 0; at < source.size; at += BLOCK) hash.update(await source.read(at, Math.min(at + BLOCK, source.size)));
  return DIGEST_PREFIX + hexOf(hash.digest());
}
