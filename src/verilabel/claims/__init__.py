"""What others claim of a model: found in their documents, and held against bundles."""
