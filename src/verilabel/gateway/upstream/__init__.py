"""The models behind the gateway: asking, trying again, falling back, health."""
