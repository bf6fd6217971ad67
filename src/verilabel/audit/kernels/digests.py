"""SHA-256 of every text of a batch: what exact duplicates are told by, and what records commit to."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, Hashes

Digests = npt.NDArray[np.uint8]
"""One SHA-256 a document: n rows of 32 bytes."""


def text_digests(batch: Batch) -> Digests:
    """The SHA-256 of each document's UTF-8 bytes, in order."""
    view = np.ascontiguousarray(batch.data).data
    bounds = batch.offsets.tolist()
    sha256 = hashlib.sha256
    joined = b"".join([sha256(view[start:end]).digest() for start, end in pairwise(bounds)])
    return np.frombuffer(joined, np.uint8).reshape(len(batch), 32)


def exact_keys(digests: Digests) -> Hashes:
    """The first 128 bits of each digest as two words, the higher first: n rows of two."""
    return np.ascontiguousarray(digests[:, :16]).view(">u8").astype(np.uint64)
