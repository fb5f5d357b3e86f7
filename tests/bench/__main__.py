"""What things cost, as ratios against a baseline in the same run: figures to read, never a test.

python -m tests.bench journal
python -m tests.bench reading
"""

import argparse

from tests.bench import journal, reading

BENCHES = {"journal": journal.main, "reading": reading.main}


def main() -> None:
    """Run the benchmark that is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("name", choices=BENCHES)
    parser.add_argument("--rounds", type=int, default=8)
    said = parser.parse_args()
    BENCHES[said.name](said.rounds)


if __name__ == "__main__":
    main()
