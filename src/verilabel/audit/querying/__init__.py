"""Questions to an audit in SQL."""
