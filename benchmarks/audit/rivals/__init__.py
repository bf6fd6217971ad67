"""Other tools on the same corpus: each script runs alone in the tool's own environment, and imports nothing of ours."""
