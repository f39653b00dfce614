"""Build the page and serve it; `python app.py --help` lists the options."""

if __name__ == "__main__":
    try:
        from afa_viz.ui.server.launch import launch

        launch()
    except KeyboardInterrupt:  # before the arguments were read; `launch` ends by itself later on
        raise SystemExit(130) from None
