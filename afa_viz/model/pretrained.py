"""ImageNet weights for the encoder of a new network: timm's for PVT v2, those of the hub for MiT."""

from __future__ import annotations

import logging

from huggingface_hub import constants

from afa_viz.model import mix_transformer, pvt_v2
from afa_viz.model.afa import AFA
from afa_viz.model.card import CheckpointError
from afa_viz.model.checkpoint import load_any
from afa_viz.model.hub import HubFiles
from afa_viz.model.sources import HUB_NAMES

MIT_REPOSITORIES = {name: f"hf://nvidia/{name.replace('_', '-')}" for name in mix_transformer.VARIANTS}
PVT_REPOSITORY = "timm/{name}.in1k"
PVT_LICENCE = "Apache-2.0"
log = logging.getLogger(__name__)


def load_imagenet(model: AFA, backbone: str) -> str:
    """Fill the encoder; returns the licence of the weights, which is also logged.

    Args:
        model: changed in place; decoder, affinity and classifier stay as they are.
        backbone: of the model.
    Raises: CheckpointError or FileNotFoundError: if the weights cannot be fetched.
    """
    if backbone in MIT_REPOSITORIES:
        source, licence = MIT_REPOSITORIES[backbone], load_any(model, MIT_REPOSITORIES[backbone]).licence
    else:
        source, licence = f"timm's {backbone}", PVT_LICENCE
        try:
            if not constants.HF_HUB_OFFLINE:  # timm would retry an unreachable hub for half a minute
                HubFiles(PVT_REPOSITORY.format(name=backbone)).first_existing((HUB_NAMES[0],))
            encoder = pvt_v2.PvtV2(backbone, pretrained=True)
        except Exception as error:  # the hub's client raises many kinds
            raise CheckpointError(
                f"the ImageNet weights of {backbone} cannot be fetched ({type(error).__name__}); expected a network "
                "or a filled cache: connect, or begin without them by `--set pretrained=no`."
            ) from None
        model.encoder.load_state_dict(encoder.state_dict())
    log.warning("the encoder begins with %s; licence: %s", source, licence)
    return licence
