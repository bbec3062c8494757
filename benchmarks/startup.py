"""Measures how long `import spikec` and `spikec --help` take, as the best of several runs.

    python benchmarks/startup.py [--runs 5] [--limit 0.5]

Exit code 1 when the help takes longer than the limit (seconds).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

BARE = (sys.executable, "-c", "pass")
IMPORT = (sys.executable, "-c", "import spikec")
HELP = (sys.executable, "-m", "spikec", "--help")


def best_of(runs: int, command: tuple[str, ...]) -> float:
    """Give the shortest wall-clock time of a command; noise only ever adds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    """Print one line per command and compare the last with the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit", type=float, default=0.5, metavar="SECONDS")
    options = parser.parse_args()
    for label, command in (("bare Python", BARE), ("import spikec", IMPORT)):
        print(f"{label:<16}{best_of(options.runs, command):.3f} s")
    seconds = best_of(options.runs, HELP)
    verdict = "ok" if seconds <= options.limit else "too slow"
    print(f"{'spikec --help':<16}{seconds:.3f} s   limit {options.limit} s: {verdict}")
    return int(seconds > options.limit)


if __name__ == "__main__":
    sys.exit(main())
