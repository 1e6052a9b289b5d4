"""Run benchmarks by name: `python -m benchmarks [quality|pipeline] [options]`; both if none."""

import sys

from benchmarks import pipeline, quality

BENCHMARKS = {"pipeline": pipeline.main, "quality": quality.main}


def main() -> None:
    """Run the named benchmark, or all."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"unknown benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in names:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
