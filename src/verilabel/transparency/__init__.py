"""Logs and witnesses over HTTP: serving, asking, auditing."""
