"""Where records are kept that many processes share: SQLite by default, PostgreSQL at scale."""
