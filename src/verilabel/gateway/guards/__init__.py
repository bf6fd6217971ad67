"""Guards: what looks at a text of a request or reply and says what it found."""
