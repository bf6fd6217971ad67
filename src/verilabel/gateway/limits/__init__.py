"""Limits: requests, tokens, cost and concurrency, in this process or shared through Redis."""
