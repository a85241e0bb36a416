"""The domain: rules and decisions about documents, without I/O. Nothing here reads a clock, file or table."""
