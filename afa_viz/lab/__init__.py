"""The guided lab: questions about an explained image, answered by its `Trace`. Independent of the app."""

from afa_viz.lab.answers import check
from afa_viz.lab.failures import CAUSES, FAILURES, error_attribution, measure
from afa_viz.lab.questions import QUESTIONS, Question, UndecidedError, Verdict, is_ready, obstacle
from afa_viz.lab.verdicts import cells, options, reasons
from afa_viz.lab.verdicts_affinity import PAIRS
from afa_viz.lab.verdicts_training import decoder_supervision

__all__ = [
    "CAUSES", "FAILURES", "PAIRS", "QUESTIONS", "Question", "UndecidedError", "Verdict", "cells", "check",
    "decoder_supervision", "error_attribution", "is_ready", "measure", "obstacle", "options", "reasons",
]  # fmt: skip
