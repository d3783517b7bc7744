"""What code can reach: read from sources, which are never imported and never run.

Knows files as bytes by path, and nothing of repositories, snapshots or running flows.
"""
