"""The MCP gateway: what agents may do with tools, decided by a policy, held for people, pinned and recorded."""
