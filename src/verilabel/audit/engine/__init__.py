"""The run of an audit: plan, workers, stages, resuming."""
