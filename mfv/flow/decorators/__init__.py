"""DECORATORS: what may be put above a step or a flow, one small file for each.

They know the flow, its graph and the task that runs; none knows a file of the repository.
"""
