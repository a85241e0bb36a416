"""Changes: what differs between two versions of a document, and how much it matters."""
