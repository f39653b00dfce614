"""Build and launch the app, and validate the requests that it receives."""
