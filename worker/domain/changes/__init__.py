"""What changed between two contents of a document, and how much it matters."""
