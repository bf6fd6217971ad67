"""Between agents and servers: sessions, decisions, approvals and records around every call."""
