"""Inputs of an audit: files of many forms as shards, and shards as batches of documents."""
