"""Turns a batch of snapshots into versions, refusals, retirements and moves, in one transaction."""
