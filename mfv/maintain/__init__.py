"""Keeping a repository in order: gc (a plan, then its execution) and fsck (findings).

Neither unpickles anything; fsck never writes.
"""
