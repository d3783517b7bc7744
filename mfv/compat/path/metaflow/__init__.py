"""What `import metaflow` finds where PYTHONPATH leads here: mfv steps into this module's place.

A Python without mfv, which only inherited the variable, gets its own Metaflow.
"""

import importlib.util
import os
import sys

if importlib.util.find_spec("mfv") is not None:
    import mfv.compat.metaflow  # noqa: F401  (replaces this module)
else:
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != here]
    del sys.modules["metaflow"]
    import metaflow  # noqa: F401  (the import that is going on gets this one)
