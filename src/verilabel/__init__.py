"""Safety labels for AI models that anyone can check."""

__version__ = "0.1.0"
