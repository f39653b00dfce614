"""Which parts a network has, and one sentence for each that it may lack."""

from __future__ import annotations

from dataclasses import dataclass

KINDS: dict[str, tuple[str | None, ...]] = {
    "attention": ("logits", "probabilities", None),
    "affinity": ("learned", "averaged", None),
    "cam": ("linear", "class token", "gradient"),
    "labels": ("sigmoid", "softmax"),
}
LABEL_STAGES = ("cam", "cam_rw", "cam_par", "affinity_label", "pseudo_label", "seg")  # of which a label can be written
MAX_STRIDE, MAX_EXTRA_TOKENS = 64, 4096

# What a view, a file or an answer says in the place of something that a method lacks.
LACKS = {
    "decoder": "this method has no decoder, so it predicts no label map.",
    "affinity": "this method has no affinity, so there is no random walk.",
    "learned_affinity": "this method has no learned affinity: its affinity is the mean of the attention heads.",
    "attention": "this method has no attention maps.",
    "attention_logits": "this method has no attention logits, only attention after the softmax.",
}


@dataclass(frozen=True)
class Parts:
    """Which parts a network has; the defaults are those of AFA.

    Attributes:
        stride: pixels that a cell of the CAM and of the affinity spans along each side.
        extra_tokens: tokens before those of the image in every map of attention, such as a class token.
        attention: "logits", q k^T before scale and softmax; "probabilities", after them; None: the network gives none.
        affinity: "learned", a combination of heads that was trained; "averaged", the mean of the heads of the last two
            blocks; None: there is none, so there is no random walk.
        cam: "linear", a linear classifier on the features that it was trained on; "class token", a classifier of a
            class token read at the other tokens; "gradient".
        decoder: whether it predicts a label map.
        labels: how class logits become image labels: "sigmoid", each class for itself, or "softmax", one among all.
    Raises: ValueError: for a value that is none of these.
    """

    stride: int = 16
    extra_tokens: int = 0
    attention: str | None = "logits"
    affinity: str | None = "learned"
    cam: str = "linear"
    decoder: bool = True
    labels: str = "sigmoid"

    def __post_init__(self) -> None:
        for name, known in KINDS.items():
            if getattr(self, name) not in known:
                expected = ", ".join(map(str, known))
                raise ValueError(f"parts.{name} is {getattr(self, name)!r}; expected one of {expected}.")
        for name, least, most in (("stride", 1, MAX_STRIDE), ("extra_tokens", 0, MAX_EXTRA_TOKENS)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"parts.{name} is {value!r}; expected a whole number from {least} to {most}.")
        if not isinstance(self.decoder, bool):
            raise ValueError(f"parts.decoder is {self.decoder!r}; expected True or False.")
        if self.affinity is not None and self.attention is None:
            raise ValueError("parts name an affinity but no attention; expected attention, which it is made of.")

    @property
    def lacks(self) -> dict[str, str]:
        """The sentences of `LACKS` about what the network lacks, by the name of the part."""
        missing = {
            "decoder": not self.decoder,
            "affinity": self.affinity is None,
            "learned_affinity": self.affinity == "averaged",
            "attention": self.attention is None,
            "attention_logits": self.attention == "probabilities",
        }
        return {name: LACKS[name] for name, is_missing in missing.items() if is_missing}

    def require(self, part: str) -> None:
        """Raises: ValueError: with its sentence, if the network lacks a part of `LACKS`."""
        if part in self.lacks:
            raise ValueError(self.lacks[part])
