"""Tasks of Inspect, run by Inspect in a process of its own, under this engine's plan and order."""
