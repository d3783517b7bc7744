"""THE OUTLINE of a value: what it holds, told from its frames without running what they name.

A state dict is a tree of blocks of numbers, a table is columns, an object its class and fields. The
bytes of a block are read when somebody looks at them, and not before: two outlines whose blocks
have the same ids are compared without reading either.
"""
