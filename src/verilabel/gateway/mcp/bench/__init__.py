"""How well a tool policy holds against hijacked agents: AgentDojo, replayed."""
