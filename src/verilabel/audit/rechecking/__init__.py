"""Documents of an audit looked at again: by whoever has the corpus, or is shown some of it."""
