"""THE QUERY CACHE: the runs of a repository in SQLite, caught up from the log when asked for.

Delete it any time: it changes no answer, only how long one waits for it. The one room that knows
SQLite. Recorders never write it.
"""
