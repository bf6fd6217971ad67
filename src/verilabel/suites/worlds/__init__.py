"""Environments of agentic suites: generated from a seed, played again by whoever verifies."""
