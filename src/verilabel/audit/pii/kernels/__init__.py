"""The compiled pass that finds candidates of personal data and secrets in a batch."""
