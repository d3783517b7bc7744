"""VALUES -> TEXT, TABLE, JSON: nothing is computed here but widths.

Every name, message and path that comes out of a repository passes through `escape` on its way
to a terminal.
"""
