"""What parties sign besides labels: replications, disputes, withdrawals, and findings that a rubric asks for."""
