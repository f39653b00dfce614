"""Build the page and serve it; `python app.py --help` lists the options."""

import gc

gc.disable()  # what is imported stays: to look through it for garbage again and again takes a sixth of the start
from afa_viz.ui.launch import launch  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    launch()
