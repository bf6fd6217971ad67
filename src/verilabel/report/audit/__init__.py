"""The page of a training-data audit."""
