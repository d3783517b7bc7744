"""QUESTIONS OVER MANY RUNS: where a text stands, which run made these bytes, since when a value is
what it is, what takes the space. Each object is read once however many runs share it.
"""
