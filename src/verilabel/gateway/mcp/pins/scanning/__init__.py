"""Scanning, offline: what is dangerous in the configuration of MCP clients and in what servers show."""
