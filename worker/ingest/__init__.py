"""From a batch of snapshots to versions, refusals, retirements and moves, in one transaction."""
