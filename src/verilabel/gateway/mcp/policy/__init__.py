"""Tool policies: read, checked, decided by, tested."""
