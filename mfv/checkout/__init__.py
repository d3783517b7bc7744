"""Bringing a run back: its code and inputs in a folder, its environment, how to run it again."""

from mfv.checkout.names import DATA, ENVIRONMENT, GUIDE, INFO, INPUTS, LOCK, PARAMETERS, PYLOCK
from mfv.checkout.writing import Clone, clone

__all__ = [
    "DATA",
    "ENVIRONMENT",
    "GUIDE",
    "INFO",
    "INPUTS",
    "LOCK",
    "PARAMETERS",
    "PYLOCK",
    "Clone",
    "clone",
]
