"""The network and every way weights come in and go out."""
