"""Personal data and secrets."""
