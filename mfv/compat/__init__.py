"""Other tools' flows on mfv. `import mfv.compat.metaflow` puts mfv in Metaflow's place.

`PATH` is a folder for PYTHONPATH: every Python that is started with it, and has mfv, takes mfv
for Metaflow, without a change to any file.
"""

import os

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "path")
