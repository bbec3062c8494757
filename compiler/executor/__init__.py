"""Where work runs that is not done in this process."""

from spikec.executor.child import Finished, run_child, time_limit

__all__ = ["Finished", "run_child", "time_limit"]
