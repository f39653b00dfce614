"""The guided lab: what is asked about an explained picture, and what its `Trace` answers. Knows no page."""

from afa_viz.lab.failures import CAUSES, FAILURES, blame, measure
from afa_viz.lab.questions import STEPS, Step, Verdict, check, is_ready, options, teacher_of

__all__ = [
    "CAUSES", "FAILURES", "STEPS", "Step", "Verdict", "blame", "check", "is_ready", "measure", "options", "teacher_of",
]  # fmt: skip
