"""The folder: compare it with the store, and decide what each observation means for its path."""
