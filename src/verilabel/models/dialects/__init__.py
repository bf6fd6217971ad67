"""Wire dialects: how a request is written and an answer read, one pure codec a file. No I/O, no HTTP."""
