"""What an audit leaves: records, commitments, the manifest, and their verification."""
