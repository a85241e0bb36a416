"""Rules: decide whether a file may be published, and say what its author should fix."""
