"""BYTES UNDER NAMES: six verbs over a folder, a bucket or memory.

This room knows no hash, no run and no Python object. Whatever passes the contract suite in
`tests/contracts/test_backends.py` can hold a repository.
"""
