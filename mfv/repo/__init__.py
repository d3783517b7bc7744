"""ONE REPOSITORY: its layout, its log, the names read off the log, and the order of writing.

It is the truth: nothing here reads the query cache, prints, or looks at the environment.
"""
