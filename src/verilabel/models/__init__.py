"""Models that can be asked: over HTTP, in this process, as a program, from recorded answers, or simulated."""
