"""A verified bundle written in other tools' formats; every file carries the pair, the level and the statement."""
