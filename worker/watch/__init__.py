"""Watches the seeds folder: turns file events and scans into snapshots of settled files.

Only this package imports watchdog. `watcher` is the loop and `sync` is one scan without a loop; both
read through `feed`. Called by `worker.run.processes` and the commands.
"""
