"""What the service knows of documents, without any I/O: nothing here reads a clock, a file or a table."""
