"""Seeds: from bytes to metadata and body, and where things stand in a file."""
