"""THE RUNS OF A REPOSITORY, asked for: by name, by query, in an order.

Small repositories are asked themselves, large ones through the index; the answers are the same.
"""
