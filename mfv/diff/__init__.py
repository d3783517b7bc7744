"""PURE: two values in, one value out. No input or output, no printing; rendered elsewhere."""
