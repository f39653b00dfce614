"""Build the page and serve it; `python app.py --help` lists the options."""

from afa_viz.ui.launch import launch

if __name__ == "__main__":
    launch()
