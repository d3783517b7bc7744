"""PYTHON OBJECTS <-> FRAMES: the only room that pickles.

It knows neither packs nor runs. Nothing here runs at import but definitions, and no module here
is imported by a command that only looks.
"""
