"""In which language a document is written, and plain facts of its quality."""
