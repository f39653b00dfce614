"""An AFA training step as a reader of docs/spec.md would write it: oracle and baseline of `benchmarks.train_step`.

Every pass keeps the attention logits of all blocks and runs the decoder, the affinity is a convolution over 16 stacked
maps, each threshold builds its own PAR kernel, and all three kinds of pseudo labels are made in every step. Layers with
weights are those of the model that is measured; all between them is written here and shares no line with afa_viz.

Symbols: B batch, C foreground classes, S side of the crops, g cells of a side at the largest scale.
Source: docs/spec.md sections 3 to 11.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import textbook_par

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
IGNORE = 255
DILATIONS = (1, 2, 4, 8, 12, 24)


def bilinear(maps: Tensor, size: tuple[int, int], corners: bool = False) -> Tensor:
    """(B, C, h, w) -> (B, C, *size)."""
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=corners)


def attend(attn: Any, tokens: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Output of one attention layer and its logits, queries pooled so that they are square."""
    batch, count, dim = tokens.shape
    heads = attn.num_heads
    width = dim // heads
    query = attn.q(tokens).reshape(batch, count, heads, width).permute(0, 2, 1, 3)
    source, reduction = tokens, 1
    if getattr(attn, "sr", None) is not None:
        reduction = attn.sr.stride[0]
        source = attn.sr(tokens.permute(0, 2, 1).reshape(batch, dim, *grid)).reshape(batch, dim, -1).permute(0, 2, 1)
        source = attn.norm(source)
    key, value = attn.kv(source).reshape(batch, -1, 2, heads, width).permute(2, 0, 3, 1, 4)
    logits = query @ key.transpose(-2, -1)
    out = ((logits * width**-0.5).softmax(dim=-1) @ value).transpose(1, 2).reshape(batch, count, dim)
    if reduction > 1:
        columns = logits.shape[-1]
        maps = logits.permute(0, 1, 3, 2).reshape(batch * heads, columns, *grid)
        logits = F.avg_pool2d(maps, reduction, reduction).reshape(batch, heads, columns, -1).permute(0, 1, 3, 2)
    return attn.proj(out), logits


def encode(encoder: Any, maps: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Maps of the four stages and the logits of every block."""
    features, logits = [], []
    for stage in range(1, 5):
        embed = getattr(encoder, f"patch_embed{stage}")
        maps = embed.proj(maps)
        batch, dim, *grid = maps.shape
        tokens = embed.norm(maps.flatten(2).transpose(1, 2))
        for block in getattr(encoder, f"block{stage}"):
            out, kept = attend(block.attn, block.norm1(tokens), (grid[0], grid[1]))
            logits.append(kept)
            tokens = tokens + block.drop_path(out)
            hidden = block.mlp.fc1(block.norm2(tokens))
            spatial = hidden.transpose(1, 2).reshape(batch, -1, *grid)
            hidden = F.gelu(block.mlp.dwconv.dwconv(spatial).flatten(2).transpose(1, 2))
            tokens = tokens + block.drop_path(block.mlp.fc2(hidden))
        maps = getattr(encoder, f"norm{stage}")(tokens).transpose(1, 2).reshape(batch, dim, *grid)
        features.append(maps)
    return features, logits


def decode(decoder: Any, features: list[Tensor]) -> Tensor:
    """(B, K, S / 4, S / 4)."""
    size = (features[0].shape[-2], features[0].shape[-1])
    wide = []
    for number in (4, 3, 2, 1):
        maps = features[number - 1]
        layer = getattr(decoder, f"linear_c{number}").proj
        out = layer(maps.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(len(maps), -1, *maps.shape[-2:])
        wide.append(bilinear(out, size))
    fused = F.relu(decoder.linear_fuse.bn(decoder.linear_fuse.conv(torch.cat(wide, dim=1))))
    return decoder.linear_pred(decoder.dropout(fused))


def forward(model: Any, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Class logits, segmentation logits, CAM and affinity of one pass."""
    features, logits = encode(model.encoder, image)
    seg = decode(model.decoder, features)
    stacked = torch.cat(logits[-2:], dim=1)
    affinity = torch.sigmoid(model.attn_proj(stacked + stacked.transpose(-1, -2)))[:, 0]
    pooled = F.adaptive_max_pool2d(features[-1], 1)
    cam = F.conv2d(features[-1], model.classifier.weight).detach()
    return model.classifier(pooled).flatten(1), seg, cam, affinity


@torch.no_grad()
def multi_scale_cam(model: Any, image: Tensor, scales: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """(B, C, S, S) in [0, 1], and the affinity at the largest scale (2B, g * g, g * g)."""
    size = (image.shape[-2], image.shape[-1])
    total, largest, found = torch.zeros(()), 0.0, torch.zeros(())
    for scale in (1.0, *(s for s in scales if s != 1)):
        scaled = bilinear(image, (int(scale * size[0]), int(scale * size[1])))
        _, _, cam, affinity = forward(model, torch.cat([scaled, scaled.flip(-1)]))
        cam = bilinear(cam, size)
        total = total + F.relu(torch.maximum(cam[: len(image)], cam[len(image) :].flip(-1)))
        if scale > largest:
            largest, found = scale, affinity
    total = total - total.amin(dim=(-2, -1), keepdim=True)
    return total / (total.amax(dim=(-2, -1), keepdim=True) + 1e-5), found


@lru_cache(maxsize=8)
def radius_mask(side: int, radius: int) -> Tensor:
    """(side^2, side^2) of 0 and 1."""
    place = torch.arange(side * side)
    row, column = place // side, place % side
    near = ((row[:, None] - row).abs() <= radius) & ((column[:, None] - column).abs() <= radius)
    return near.float()


def walk(cam: Tensor, affinity: Tensor, given: Tensor, mask: Tensor, beta: float) -> Tensor:
    """(B, C, g, g) -> (B, C + 1, g, g)."""
    batch, classes, side, _ = cam.shape
    out = torch.zeros(batch, classes + 1, side, side)
    for i in range(batch):
        kept = torch.cat([torch.zeros(1, dtype=torch.long), given[i].nonzero()[:, 0] + 1])
        start = torch.cat([torch.full((1, side, side), beta), cam[i]])[kept].softmax(dim=0)
        squared = (affinity[i] * mask) ** 2
        transition = squared / (squared.sum(dim=0, keepdim=True) + 0.1)
        out[i, kept] = (start.flatten(1) @ transition).reshape(len(kept), side, side)
    return out


def par(image: Tensor, scores: Tensor, num_iters: int) -> Tensor:
    """PAR of (1, c, H, W) scores on an image half as large."""
    small = bilinear(image, (image.shape[-2] // 2, image.shape[-1] // 2))
    start = F.interpolate(scores, size=small.shape[-2:], mode="bilinear", align_corners=True)
    return textbook_par.pixel_adaptive_refinement(small, start, num_iters=num_iters)


def merge(low: Tensor, high: Tensor, box: Tensor) -> Tensor:
    """Sure foreground, sure background, the rest and what is outside the box 255."""
    label = high.clone()
    label[high == 0] = IGNORE
    label[(high == 0) & (low == 0)] = 0
    out = torch.full_like(label, IGNORE)
    for i, (top, bottom, left, right) in enumerate(box.tolist()):
        out[i, top:bottom, left:right] = label[i, top:bottom, left:right]
    return out


def refine_walked(image: Tensor, walked: Tensor, given: Tensor, box: Tensor, num_iters: int) -> Tensor:
    """Label of the walked CAM after PAR, each image cropped to its box."""
    scores = torch.zeros_like(walked)
    for i, (top, bottom, left, right) in enumerate(box.tolist()):
        kept = torch.cat([torch.zeros(1, dtype=torch.long), given[i].nonzero()[:, 0] + 1])
        crop = walked[i : i + 1, kept, top:bottom, left:right]
        refined = par(image[i : i + 1, :, top:bottom, left:right], crop, num_iters)
        scores[i, kept, top:bottom, left:right] = bilinear(refined, (crop.shape[-2], crop.shape[-1]))[0]
    return scores.argmax(dim=1)


def refine_raw(image: Tensor, cam: Tensor, given: Tensor, beta: float, num_iters: int) -> Tensor:
    """Label of the CAM after PAR on the whole image."""
    size = (cam.shape[-2], cam.shape[-1])
    label = torch.zeros(len(cam), *size, dtype=torch.long)
    for i in range(len(cam)):
        present = given[i].nonzero()[:, 0]
        scores = torch.cat([torch.full((1, *size), beta), cam[i, present]])[None]
        half = bilinear(scores, (size[0] // 2, size[1] // 2)).softmax(dim=1)
        best = bilinear(par(image[i : i + 1], half, num_iters), size)[0].argmax(dim=0)
        label[i] = torch.cat([torch.zeros(1, dtype=torch.long), present + 1])[best]
    return label


def affinity_target(label: Tensor, mask: Tensor) -> Tensor:
    """(B, S, S) -> (B, N, N) of 0, 1 and 255."""
    side = label.shape[-1] // 16
    cells = F.interpolate(label[:, None].float(), size=(side, side), mode="nearest").flatten(1).long()
    pairs = (cells[:, :, None] == cells[:, None, :]).long()
    unknown = (cells == IGNORE)[:, :, None] | (cells == IGNORE)[:, None, :] | (mask == 0)
    pairs[unknown] = IGNORE
    return pairs


def half(seg: Tensor, target: Tensor, chosen: Tensor) -> Tensor:
    """Cross-entropy over the chosen pixels; 0 where there is none."""
    if not chosen.any():
        return seg.sum() * 0
    return F.cross_entropy(seg, torch.where(chosen, target, IGNORE), ignore_index=IGNORE)


def step_losses(model: Any, batch: Any, config: Any, iteration: int) -> dict[str, Tensor]:
    """loss, loss_cls, loss_seg and loss_aff of one step, ready for `backward`.

    Args:
        model: MiT with its decoder; in the mode in which it trains.
        batch: image, image_labels, box. config: with the names of `TrainConfig`.
    """
    image, given, box, explain = batch.image, batch.image_labels, batch.box, config.explain
    size = image.shape[-1]
    box = box.clamp(max=size)
    class_logits, seg, _, affinity = forward(model, image)
    cam, wide = multi_scale_cam(model, image, explain.scales)
    with torch.no_grad():
        mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
        pixels = (image * std + mean).to(torch.uint8).float() / 255
        present = cam * given[:, :, None, None]
        side = int(size * max(1.0, *explain.scales) // 16)
        small = bilinear(present, (side, side))
        thresholds = (explain.bkg_score_low, explain.bkg_score_high)
        walked = [
            refine_walked(
                pixels,
                bilinear(walk(small, wide[: len(image)], given, radius_mask(side, explain.radius), t), (size, size)),
                given, box, explain.num_iters,
            )
            for t in thresholds
        ]  # fmt: skip
        of_walk = merge(walked[0], walked[1], box)
        raw = [refine_raw(pixels, cam, given, t, explain.num_iters) for t in thresholds]
        of_cam = merge(raw[0], raw[1], box)
        target = affinity_target(of_cam, radius_mask(size // 16, explain.radius))
    seg_target = of_cam if iteration <= config.joint_after else of_walk
    logits = bilinear(seg, (size, size))
    loss_cls = F.multilabel_soft_margin_loss(class_logits, given)
    loss_seg = (
        half(logits, seg_target, seg_target == 0) + half(logits, seg_target, (seg_target > 0) & (seg_target < IGNORE))
    ) / 2
    same, other = target == 1, target == 0
    loss_aff = ((1 - affinity)[same].sum() / (same.sum() + 1) + affinity[other].sum() / (other.sum() + 1)) / 2
    weight = 0.0 if iteration <= config.cam_iters else 0.1
    loss = loss_cls + weight * loss_seg + weight * loss_aff
    return {"loss": loss, "loss_cls": loss_cls, "loss_seg": loss_seg, "loss_aff": loss_aff}
