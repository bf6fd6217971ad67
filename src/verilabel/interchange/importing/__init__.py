"""Other tools' results: read, recompute their headlines, and turn what they evidence into a run's store."""
