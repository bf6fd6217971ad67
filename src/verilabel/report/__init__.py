"""A bundle for people to read: the numbers of a page (`view`, `building`) and the page itself (`page`)."""
