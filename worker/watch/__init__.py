"""Watching the seeds folder: hints, settling, scans, and the snapshots that they lead to.

Only here is watchdog imported. `watcher` is the loop, `sync` one scan without a loop; both read
through `feed`. Called by `worker.run.processes` and the commands.
"""
