"""The guided lab: questions about an explained image, answered by its `Trace`. Independent of the app."""

from afa_viz.lab.answers import check
from afa_viz.lab.failures import CAUSES, FAILURES, error_attribution, measure
from afa_viz.lab.questions import QUESTIONS, Question, Verdict, is_ready, missing_part, options
from afa_viz.lab.verdicts import decoder_supervision

__all__ = [
    "CAUSES", "FAILURES", "QUESTIONS", "Question", "Verdict", "check", "decoder_supervision", "error_attribution",
    "is_ready", "measure", "missing_part", "options",
]  # fmt: skip
