"""Turns notices into messages: composes digests and sends them over channels."""
