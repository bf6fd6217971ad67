"""Pins: what a server was when a person looked at it, and what is kept from agents when it changes."""
