"""Compiled loops that cut lines of JSON, rows of CSV and pages of HTML into texts."""
