"""The hot path: one request from its bytes to its answer, stage by stage."""
