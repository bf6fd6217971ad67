"""Connections to MCP servers, kept open by server and principal."""
