"""WHAT A SEARCH FOUND, as values: matches, sizes, places, changes. Nothing is read here."""
