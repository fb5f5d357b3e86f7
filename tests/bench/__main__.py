"""What things cost, as ratios against a baseline in the same run: figures to read, never a test.

python -m tests.bench [--rows N] [--in-flight N] [--latency MS] [--bad SHARE]    a sheet to a result, beside a script
python -m tests.bench --scale                                                   10,000 to 1,000,000 rows side by side
python -m tests.bench --alone [--csv] | --dry                                   only bulkload; only planning, from CSV
python -m tests.bench reading | checking | ...                                  a part alone
"""

import argparse
from importlib import import_module

from tests.bench.whole import Settings, alone, compare, dry, scale

PARTS = ("checking", "journal", "reading", "texts", "transport", "writing")


def main() -> None:
    """Run the benchmark that is named, else the whole way of a file."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS")
    parser.add_argument("--bad", type=float, default=0.01, metavar="SHARE")
    parser.add_argument("--scale", action="store_true")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--csv", action="store_true")
    parser.add_argument("--dry", action="store_true")
    said = parser.parse_args()
    settings = Settings(said.rows, said.in_flight, said.latency, said.bad)
    if said.part:
        import_module(f"tests.bench.{said.part}").main()
    elif said.scale:
        scale(settings)
    elif said.dry:
        dry(settings)
    elif said.alone:
        alone(settings, ".csv" if said.csv else ".xlsx")
    else:
        compare(settings)


if __name__ == "__main__":
    main()
