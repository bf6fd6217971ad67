"""Agents: the loop around a model, its worlds, its sandbox, and the episode that is kept."""
