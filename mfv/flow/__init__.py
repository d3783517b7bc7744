"""THE RUNTIME: spec, graph, plan, task, workers, engine.

It decides what runs when and hands over what came of it; it has never heard of a file of the
repository.
"""
