"""From one provider's API to another's, requests, replies and streams."""
