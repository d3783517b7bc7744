"""WHAT A RUN IS: immutable records and their one encoding; no input or output.

Records point at blobs and at each other by id. Field names here are the field names on disk
(`docs/format.md`).
"""
