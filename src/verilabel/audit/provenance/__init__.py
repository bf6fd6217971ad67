"""Where documents come from: hosts, dates, cards."""
