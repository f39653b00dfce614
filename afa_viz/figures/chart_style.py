"""How stages and numbers look in every chart, printed or interactive: names, colours by name, kinds of line."""

from __future__ import annotations

BLUE, ORANGE = "#0072B2", "#E69F00"  # Okabe and Ito's colours
GREEN, PURPLE, SKY, RED = "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
INK, LIGHT_GREY, GREY = "#222222", "#d8d8d8", "#767676"
PRINTED = {  # the colours of `THEMES` where charts are printed on white
    "accent": BLUE, "warm": ORANGE, "good": GREEN, "bad": RED, "pseudo": PURPLE, "start": SKY, "muted": GREY,
    "ink": INK,
}  # fmt: skip
THEMES = {  # the colours of the page (explorer/style.css has the same): a contrast of 3 : 1 at least to its background
    "light": {
        "accent": "#0072b2", "warm": "#b45309", "good": "#00734f", "bad": "#a83c00", "pseudo": "#9b3f8f",
        "start": "#2b7fb5", "muted": "#52525b", "ink": "#27272a", "paper": "#ffffff", "grid": "#e4e4e7",
    },
    "dark": {
        "accent": "#56b4e9", "warm": "#e69f00", "good": "#3ad0a0", "bad": "#ff9a5c", "pseudo": "#e08fc9",
        "start": "#a9c7ff", "muted": "#b4b4bd", "ink": "#f4f4f5", "paper": "#0f0f11", "grid": "#3f3f46",
    },
}  # fmt: skip
STAGE_STYLES = {  # colour, and kind of line by plotly's names
    "cam": ("accent", "solid"),
    "walk_start": ("start", "dot"),
    "cam_rw": ("muted", "dash"),
    "par_start": ("bad", "dash"),
    "cam_refined": ("bad", "dot"),
    "cam_par": ("good", "dashdot"),
    "affinity_label": ("bad", "solid"),
    "pseudo_label": ("pseudo", "dot"),
    "seg": ("warm", "solid"),
    "seg_multi_scale": ("warm", "dash"),
}
STAGE_NAMES = {  # as the page says them
    "cam": "CAM, one threshold (another rule)",
    "walk_start": "start of the walk",
    "cam_rw": "random walk",
    "par_start": "start of PAR",
    "cam_refined": "PAR without the walk",
    "cam_par": "PAR",
    "affinity_label": "affinity label",
    "pseudo_label": "pseudo label (certain pixels only)",
    "seg": "prediction",
    "seg_multi_scale": "prediction, multi-scale",
    "uncertain": "uncertain",
}
