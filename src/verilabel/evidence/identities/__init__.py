"""Witnesses besides keys and logs, each an extra: Sigstore identities, time stamps, roots of weights."""
