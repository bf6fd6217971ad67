"""Other tools' results in, labels in other tools' formats out."""
