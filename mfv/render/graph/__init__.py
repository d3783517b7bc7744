"""`mfv graph`: the steps of a run as text, as a picture, in Graphviz's language, as JSON."""
