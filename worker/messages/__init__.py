"""From notices to messages: composes digests and sends them over channels."""
