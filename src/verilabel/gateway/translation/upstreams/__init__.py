"""The APIs that upstreams speak: their requests are written here, their replies and streams read."""
