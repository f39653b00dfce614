"""What a quadruped is drawn from: its coat, its proportions and its pose."""

from dataclasses import dataclass

import numpy as np

from afa_viz.data.sandbox.shapes import Texture


@dataclass(frozen=True)
class Coat:
    """Main and second colour, the pattern between them, and the colour of the paws or hooves."""

    main: np.ndarray
    second: np.ndarray
    foot: np.ndarray
    texture: Texture | None


@dataclass(frozen=True)
class Build:
    """Proportions and pose, in local units, facing +x. `turn` is 0 in profile, 1 facing the viewer."""

    species: str
    pose: str
    rump_x: float
    shoulder_x: float
    spine_y: float
    length: float
    girth: float
    leg: float
    leg_radius: float
    stride: float
    head_x: float
    head_y: float
    head_radius: float
    turn: float
