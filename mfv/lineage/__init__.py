"""Where results come from, as values: the steps of one run, and the runs behind a run.

Made from records that are given; knows no repository, and prints nothing.
"""
