"""The settings: the file, environment variables and flags, and the files that they name."""
