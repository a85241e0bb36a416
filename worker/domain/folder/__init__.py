"""The folder and the store side by side: what was seen, and what it means for each path."""
