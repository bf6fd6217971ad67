"""Models that call tools, in the dialects of their providers."""
