"""Text of the system, made fit to be stored and printed."""


def printable(text: str) -> str:
    """`text` with each byte that is not UTF-8 as the six characters `\\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
