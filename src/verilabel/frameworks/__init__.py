"""Catalogues of published frameworks and crosswalks between them, as data with sources."""
