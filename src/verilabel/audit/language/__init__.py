"""In which language a document is written, plain facts of its quality, and what hints at texts that are memorised."""
