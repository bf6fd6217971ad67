"""The product as an MCP server: labels, verification, suites and admission for agents and editors."""
