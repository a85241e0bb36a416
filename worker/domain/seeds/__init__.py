"""Seeds: parse a file's bytes into metadata and body, and find the place of each field in the file."""
