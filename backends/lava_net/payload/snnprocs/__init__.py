"""Processes of this export; nothing else may stand here, since Lava executes every file of it."""
