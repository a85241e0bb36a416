"""The settings: their file, environment variables and flags, and the files they name."""
