"""Proves a run: runs it again out of its record, and compares what comes of it, task by task."""
