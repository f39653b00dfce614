"""Commands of the command line, one a module: `add_arguments(parser)` and `run(args)`; heavy imports only in `run`."""
