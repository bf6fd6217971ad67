"""The API and pages for the people who run a gateway: keys, approvals, state."""
