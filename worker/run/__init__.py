"""The processes: which parts run together, what starts and ends them, and the checks of the whole."""
