"""Languages, and the basics of quality."""
