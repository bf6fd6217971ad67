// Merkle trees over SHA-256 (RFC 6962): roots, and the checks of inclusion and consistency proofs (RFC 9162).
import { sealError } from "../errors.ts";
import { areEqual, sha256 } from "../records/bytes.ts";

export const HASH_BYTES = 32;
export const MAX_LEAVES = 2n ** 63n - 1n;
export const MAX_PROOF_HASHES = 64;

const node = new Uint8Array(65);
node[0] = 1;

/** SHA-256(0x01 || left || right): an inner node. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  node.set(left, 1);
  node.set(right, 33);
  return sha256(node);
}

/** SHA-256(0x00 || line): a leaf. */
export function leafHash(line: Uint8Array): Uint8Array {
  return sha256.create().update(Uint8Array.of(0)).update(line).digest();
}

/** The root of a growing list in O(log n) memory: one hash for each one-bit of the size. */
export class Frontier {
  private readonly subtrees: Uint8Array[] = [];
  size = 0;

  add(leaf: Uint8Array): void {
    let hash = leaf;
    for (let carried = this.size; carried % 2 === 1; carried = Math.floor(carried / 2)) {
      hash = nodeHash(this.subtrees.pop() as Uint8Array, hash);
    }
    this.subtrees.push(hash);
    this.size += 1;
  }

  root(): Uint8Array {
    const [last, ...others] = this.subtrees.toReversed();
    if (last === undefined) return sha256(new Uint8Array());
    return others.reduce((root, subtree) => nodeHash(subtree, root), last);
  }
}

function checkShape(size: bigint, proof: readonly Uint8Array[], ...hashes: Uint8Array[]): void {
  if (size < 0n || size > MAX_LEAVES) throw sealError(`no tree has ${size} leaves`);
  if (proof.length > MAX_PROOF_HASHES) {
    throw sealError(`the proof has ${proof.length} hashes, no tree needs more than ${MAX_PROOF_HASHES}`);
  }
  if ([...proof, ...hashes].some((item) => item.length !== HASH_BYTES)) {
    throw sealError(`a hash is not ${HASH_BYTES} bytes long`);
  }
}

// Goes up past the levels where the path is the carried node of an incomplete tree.
function skipToLeftSibling(position: bigint, last: bigint): [bigint, bigint] {
  let [at, end] = [position, last];
  while (at !== 0n && (at & 1n) === 0n) [at, end] = [at >> 1n, end >> 1n];
  return [at, end];
}

/** Check an inclusion proof (RFC 9162 section 2.1.3.2). */
export function verifyInclusion(
  leaf: Uint8Array,
  index: bigint,
  size: bigint,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): void {
  checkShape(size, proof, leaf, root);
  if (index < 0n || index >= size) throw sealError(`the proof is for entry ${index}, the tree has ${size}`);
  let [position, last] = [index, size - 1n];
  let computed = leaf;
  for (const sibling of proof) {
    if (last === 0n) throw sealError("the inclusion proof has too many hashes");
    if ((position & 1n) === 1n || position === last) {
      computed = nodeHash(sibling, computed);
      [position, last] = skipToLeftSibling(position, last);
    } else computed = nodeHash(computed, sibling);
    [position, last] = [position >> 1n, last >> 1n];
  }
  if (last !== 0n) throw sealError("the inclusion proof has too few hashes");
  if (!areEqual(computed, root)) throw sealError("the inclusion proof leads to another root");
}

/** Check a consistency proof (RFC 9162 section 2.1.4.2). */
export function verifyConsistency(
  oldSize: bigint,
  newSize: bigint,
  proof: readonly Uint8Array[],
  oldRoot: Uint8Array,
  newRoot: Uint8Array,
): void {
  checkShape(newSize, proof, oldRoot, newRoot);
  if (oldSize < 0n || oldSize > newSize) throw sealError(`the tree has shrunk from ${oldSize} to ${newSize}`);
  const inconsistent = sealError("the trees are not consistent");
  if (oldSize === 0n || oldSize === newSize) {
    const empty = sha256(new Uint8Array());
    const expected = oldSize === 0n ? empty : newRoot;
    const isEmptyRight = newSize !== 0n || areEqual(newRoot, empty);
    if (proof.length > 0 || !areEqual(oldRoot, expected) || !isEmptyRight) throw inconsistent;
    return;
  }
  const [old, now] = rootsByConsistency(oldSize, newSize, proof, oldRoot);
  if (!areEqual(old, oldRoot) || !areEqual(now, newRoot)) throw inconsistent;
}

function rootsByConsistency(
  oldSize: bigint,
  newSize: bigint,
  proof: readonly Uint8Array[],
  oldRoot: Uint8Array,
): [Uint8Array, Uint8Array] {
  if (proof.length === 0) throw sealError("the consistency proof has too few hashes");
  const [first, ...path] = (oldSize & (oldSize - 1n)) === 0n ? [oldRoot, ...proof] : proof;
  let [position, last] = [oldSize - 1n, newSize - 1n];
  while ((position & 1n) === 1n) [position, last] = [position >> 1n, last >> 1n];
  let old = first as Uint8Array;
  let now = old;
  for (const sibling of path) {
    if (last === 0n) throw sealError("the consistency proof has too many hashes");
    if ((position & 1n) === 1n || position === last) {
      [old, now] = [nodeHash(sibling, old), nodeHash(sibling, now)];
      [position, last] = skipToLeftSibling(position, last);
    } else now = nodeHash(now, sibling);
    [position, last] = [position >> 1n, last >> 1n];
  }
  if (last !== 0n) throw sealError("the consistency proof has too few hashes");
  return [old, now];
}
