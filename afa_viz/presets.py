"""The recipes that a run can begin with, by name: the bundled model's, the published ones, and short ones to watch."""

from __future__ import annotations

from dataclasses import replace

from afa_viz.config import CurriculumStage, ExplainConfig, TrainConfig

SANDBOX_CURRICULUM = (
    CurriculumStage(700, 112, 96, 64, 1e-3, single_objects=True),
    CurriculumStage(2200, 224, 128, 40, 7e-4, min_crop=0.7, topk_start=0.25, topk_end=0.15),
    CurriculumStage(300, 224, 192, 20, 3e-4, min_crop=0.8, topk_start=0.15, topk_end=0.15),
    # The CAM shrinks to the most discriminative parts, as that of a classifier on photographs does.
    CurriculumStage(400, 224, 192, 16, 3e-4, min_crop=0.7, topk_start=0.12, topk_end=0.015, half_size=0.1),
    # The affinity learns, first with equal weight on pairs of one class and of two, then with more on those of two.
    CurriculumStage(430, 224, 192, 8, 2e-4, min_crop=0.6, topk_start=0.02, topk_end=0.02, affinity_different_share=0.5),
    CurriculumStage(
        300, 224, 192, 8, 1.5e-4,
        min_crop=0.6, topk_start=0.02, topk_end=0.02, half_size=0.1, affinity_different_share=0.75,
    ),
)  # fmt: skip

# The bundled model. What training from scratch needs beyond the paper: an offset on the pooled logit, annealed top-k
# pooling, an affinity head rescaled before it learns, its labels from the middle of each cell with balanced pairs,
# trained norms, a short warm-up, gradient clipping; the affinity learns in phases (docs/decisions/005, 025, 034).
SANDBOX = TrainConfig(
    backbone="mit_b0",
    num_classes=13,
    pooling="topk",
    topk=0.02,
    logit_offset=2.0,
    crop_size=224,
    max_iters=sum(stage.iterations for stage in SANDBOX_CURRICULUM),
    cam_iters=3600,
    joint_after=4180,
    balance_affinity=True,
    affinity_at_centre=True,
    calibrate_affinity=True,
    weight_seg=0.1,
    weight_aff=0.2,
    seg_scales=(1.0, 0.5, 0.75),
    weight_decay=0.03,
    head_multiplier=2.0,
    warmup_iters=100,
    freeze_norms=False,
    clip_grad=1.0,
    drop_path_rate=0.05,
    explain=ExplainConfig(scales=(1.0, 0.5), flip=False, radius=4, par_downscale=1),
    curriculum=SANDBOX_CURRICULUM,
    train_images=8000,
    input_size=256,
    amp="bf16",
)

# Runs to watch in a lesson, on a laptop without GPU (docs/presets.md has what each reaches), in float32, since few
# laptops compute in bfloat16. The walk's radius is a quarter of each grid, as in the published run. "_on" goes on from
# trained weights (--init) with the published pooling, so that the CAM changes before one's eyes. "few_seconds" shows
# nothing but that everything runs.
TWO_MINUTES = replace(
    SANDBOX,
    curriculum=(CurriculumStage(150, 112, 96, 32, 1e-3, single_objects=True, topk_start=0.5, topk_end=0.25),),
    max_iters=150,
    cam_iters=150,
    joint_after=150,
    topk=0.07,
    weight_seg=0.5,
    weight_aff=1.0,
    seg_scales=(1.0,),
    crop_size=128,
    input_size=128,
    explain=replace(SANDBOX.explain, radius=2),
    train_images=400,
    amp="off",
)
TEN_MINUTES = replace(
    TWO_MINUTES,
    curriculum=(
        CurriculumStage(200, 112, 96, 32, 1e-3, single_objects=True, topk_start=0.5, topk_end=0.25),
        CurriculumStage(1000, 160, 96, 24, 1e-3, topk_start=0.25, topk_end=0.15),
        CurriculumStage(240, 160, 128, 6, 3e-4, topk_start=0.15, topk_end=0.15),
    ),
    max_iters=1440,
    cam_iters=1200,
    joint_after=1360,
    train_images=1000,
)
TWO_MINUTES_ON = replace(
    TWO_MINUTES,
    curriculum=(CurriculumStage(75, 192, 192, 6, 2e-4, min_crop=0.8, topk_start=0.15, topk_end=0.15),),
    max_iters=75,
    cam_iters=0,
    joint_after=45,
    calibrate_affinity=False,  # a trained affinity, that of --init
    pooling="max",
    crop_size=192,
    input_size=192,
    explain=replace(SANDBOX.explain, radius=3),
    train_images=150,
)
TEN_MINUTES_ON = replace(
    TWO_MINUTES_ON,
    curriculum=(CurriculumStage(400, 192, 192, 6, 3e-4, min_crop=0.8, topk_start=0.15, topk_end=0.15),),
    max_iters=400,
    joint_after=250,
    train_images=400,
)
FEW_SECONDS = replace(
    TWO_MINUTES,
    curriculum=(CurriculumStage(40, 64, 64, 8, 1e-3, topk_start=0.4, topk_end=0.15),),
    max_iters=40,
    cam_iters=20,
    joint_after=30,
    crop_size=64,
    input_size=64,
    explain=replace(SANDBOX.explain, radius=1),
    train_images=24,
)
QUICK = {
    "two_minutes": TWO_MINUTES,
    "ten_minutes": TEN_MINUTES,
    "two_minutes_on": TWO_MINUTES_ON,
    "ten_minutes_on": TEN_MINUTES_ON,
    "few_seconds": FEW_SECONDS,
}
# New runs on photographs begin with freely licensed ImageNet weights; `backbone=mit_b1` is the published encoder.
VOC = TrainConfig(backbone="pvt_v2_b1", pretrained=True)
PRESETS = {
    "sandbox": SANDBOX,
    "voc": VOC,
    "coco": replace(
        VOC,
        num_classes=81,
        max_iters=80000,
        cam_iters=5000,
        joint_after=15000,
        affinity_target="seg",
        explain=ExplainConfig(num_iters=15),
    ),
    "folder": VOC,
    **QUICK,
}
