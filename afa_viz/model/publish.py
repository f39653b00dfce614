"""A checkpoint on the Hugging Face hub: weights, card, settings of its training, and a model page."""

from __future__ import annotations

import json
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi

from afa_viz.model.card import PARTS, Card, CheckpointError
from afa_viz.model.hub import require_repository_name, upload_errors
from afa_viz.model.sources import HUB_NAMES, Source, checkpoint_files

LISTED_SETTINGS = ("backbone", "crop_size", "batch_size", "accumulate", "max_iters", "learning_rate", "amp", "ema",
                  "official_parity")  # fmt: skip
PER_PART = ("crop_size", "batch_size", "learning_rate")  # a curriculum has its own for each part


def push_to_hub(checkpoint: Source, repo: str, *, private: bool = False) -> str:
    """Send a checkpoint to a model repository, which is made if it is not there; returns its address.

    `afa_viz.load_model("hf://OWNER/NAME")` then loads it.

    Args:
        checkpoint: a .safetensors file of ours with its card, or a folder that holds one.
        repo: OWNER/NAME.
        private: a new repository is seen by its owner only.
    Raises: FileNotFoundError, CheckpointError: for a checkpoint without card or parts. ValueError: for a name that is
        none, and where the hub refuses.
    """
    require_repository_name(repo, "jane/afa-voc")
    weights, card_path = checkpoint_files(checkpoint)
    if card_path is None or weights.suffix != ".safetensors":
        raise CheckpointError(
            f"{weights.name} has no card beside it; expected a checkpoint of ours: write one with `convert`."
        )
    card = Card.read(card_path)
    if card.parts != PARTS:
        raise CheckpointError(f"{weights.name} holds {', '.join(card.parts)} only; expected a whole network.")
    files: dict[str, bytes | Path] = {
        HUB_NAMES[0]: weights,
        str(Path(HUB_NAMES[0]).with_suffix(".json")): card_path,
        "README.md": model_page(card, repo).encode(),
    }
    if isinstance(card.training.get("config"), dict):
        files["config.json"] = (json.dumps(card.training["config"], indent=2) + "\n").encode()
    api = HfApi()
    with upload_errors(repo):
        url = api.create_repo(repo, repo_type="model", private=private or None, exist_ok=True)
        operations = [CommitOperationAdd(name, content) for name, content in files.items()]
        api.create_commit(repo, operations, commit_message="AFA checkpoint with its card")
    return str(url)


def model_page(card: Card, repo: str) -> str:
    """The model card that the hub shows: use of the weights, their scores, how they were made, their licence."""
    training = card.training
    lines = [
        "---",
        f"license: {'apache-2.0' if card.licence == 'Apache-2.0' else 'other'}",
        "library_name: afa-viz",
        "pipeline_tag: image-segmentation",
        "tags: [weakly-supervised-segmentation, afa]",
        "---",
        "",
        f"# {repo.split('/')[1]}",
        "",
        f"AFA (Ru et al., CVPR 2022) with {card.backbone}, trained from image labels alone"
        + (f" on {training['data']}." if "data" in training else "."),
        f"{card.num_classes - 1} classes: {', '.join(card.class_names[1:])}.",
        "",
        "```python",
        "import afa_viz",
        "",
        f'model = afa_viz.load_model("hf://{repo}")',
        'afa_viz.explain(model, "photo.jpg").report("photo.html")',
        "```",
        "",
    ]
    scores = {name: value for name, value in card.scores.items() if isinstance(value, (int, float))}
    scenes = scores.pop("scenes", None)  # how many, no score
    if scores:
        split = card.scores.get("split")
        where = f" of the {split} split" if split else " while training"
        scored_on = training.get("scored_on")  # cards are untrusted
        count = f"on {scenes} images{where}" if scenes else f"measured{where}"
        count += f" on {scored_on}" if isinstance(scored_on, str) and scored_on and not scenes else ""
        lines += ["## Scores", "", f"Percent, {count}; the stages before seg use the image labels.", ""]
        if "miou_pseudo_label" in scores:
            lines += ["The pseudo label is scored only where it is certain: not comparable with the other stages.", ""]
        lines += ["| score | value |", "|---|---|", *(f"| {name} | {value:g} |" for name, value in scores.items()), ""]
    config = training.get("config")
    config = config if isinstance(config, dict) else {}  # cards are untrusted
    hidden = PER_PART if config.get("curriculum") else ()
    facts = {name: config[name] for name in LISTED_SETTINGS if name in config and name not in hidden}
    facts |= {name: value for name, value in training.items() if isinstance(value, (str, int, float))}
    if facts:
        lines += ["## Training", "", "`config.json` holds every setting.", "", "| setting | value |", "|---|---|"]
        lines += [*(f"| {name} | {value} |" for name, value in facts.items()), ""]
    return "\n".join([*lines, "## Licence", "", f"The weights: {card.licence}.", ""])
