"""The audit trail: one hash-chained record a request."""
