"""What the service does with the library: the verbs, the queries, and the files that it writes."""
