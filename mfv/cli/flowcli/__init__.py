"""The commands of a flow's own command line, one small module for each.

A module has a function `command(call, …)`: first the flow and the options before the command,
then the command's own options and arguments, declared as those of `mfv` are. One that takes the
flow's parameters (`Entry.parameters`) gets them second, as texts by name. `mfv.cli.flow` has the
table, and imports only the module that is asked for.
"""
