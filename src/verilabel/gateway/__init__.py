"""The gateway: what a model is asked and answers passes here, under guards, limits, approvals and labels."""
