"""Spans: rules that find stretches of text in linear time, whole or streamed."""
