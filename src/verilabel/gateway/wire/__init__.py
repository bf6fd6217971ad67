"""The APIs that clients speak: where their texts stand, how their streams are rewritten, how a refusal looks."""
