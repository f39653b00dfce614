"""One trace as one file: the explorer with its answers inside, for the disk, the app's report and notebook cells."""
