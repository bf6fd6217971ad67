"""Planted documents, by which a check's recall is measured in the same run."""
