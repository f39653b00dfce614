"""Scoring stages against ground truth: scores by stage, parts of objects, published protocols, threshold sweeps."""

from afa_viz.evaluation.parts import PartCounts
from afa_viz.evaluation.protocols import SEG_SCALES, multi_scale_label, multi_scale_seg, validation_labels
from afa_viz.evaluation.scores_by_stage import EVALUATED_STAGES, StageScores
from afa_viz.evaluation.scoring import Sample, evaluate_samples, score_samples, score_shards, write_scores
from afa_viz.evaluation.sweep import ThresholdSweep

__all__ = [
    "SEG_SCALES",
    "EVALUATED_STAGES",
    "StageScores",
    "PartCounts",
    "Sample",
    "ThresholdSweep",
    "evaluate_samples",
    "multi_scale_label",
    "multi_scale_seg",
    "score_samples",
    "score_shards",
    "validation_labels",
    "write_scores",
]
