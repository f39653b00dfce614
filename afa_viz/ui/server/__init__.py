"""The running app: wiring, launch, and what is let in."""
