"""The command line: one thin file a command, imported only when that command is asked for.

A command parses, asks the library for a value, and renders it; it computes nothing.
"""
