"""Content Sync keeps a library of reviewed documents true."""

__version__ = "0.1.0"
