"""Words that insult and hate."""
