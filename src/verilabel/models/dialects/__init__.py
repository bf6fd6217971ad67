"""Wire dialects: how a request is written and an answer is read, one pure codec a file. No I/O, no HTTP library."""
