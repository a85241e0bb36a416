"""The rules: whether a file may be published, and what its author should fix."""
