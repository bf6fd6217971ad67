"""The guard policy: what is written in YAML, read, checked, tested, signed and compiled."""
