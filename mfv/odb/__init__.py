"""THE OBJECT DATABASE: blobs in, blob ids out; records in, record ids out.

Objects live in packs, packs live in a backend. This room has never heard of a run, and decides
by content alone; what may be deleted is decided above it.
"""
