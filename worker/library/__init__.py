"""The library's services and queries, and the files that it writes."""
