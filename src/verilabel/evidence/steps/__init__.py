"""The steps of a verification, in the order in which `evidence.verifier` takes them."""
