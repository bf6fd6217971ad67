"""Suites: versioned sets of prompts under digests, from bundled files, folders, a mirror or the cache."""
