"""Going on from earlier runs: which of their tasks a new run takes over, and why not the others."""

from mfv.resume.find import check_step, find_origin
from mfv.resume.origin import Current, Earlier, Origin
from mfv.resume.past import Past, Present

__all__ = ["Current", "Earlier", "Origin", "Past", "Present", "check_step", "find_origin"]
