"""Energy: what a program does is counted exactly, then priced by tables that name their sources."""
