"""`python -m training.data VERB`: build the corpus, describe it, measure the labeller, check the seed chains."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from training.data.build import DataError, build, read_corpus, sets_in
from training.data.records import SPLITS, Record


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="training.data", description=__doc__)
    verbs = root.add_subparsers(dest="verb", required=True)
    make = verbs.add_parser("build", help="make the corpus from the sets")
    make.add_argument("--data", type=Path, help="folder that holds sets under their names, e.g. smilechat.jsonl.xz")
    make.add_argument("--set", action="append", default=[], metavar="NAME=PATH", help="a set that lies elsewhere")
    make.add_argument("--out", type=Path, required=True, help="folder of the corpus; a killed build goes on there")
    describe = verbs.add_parser("report", help="the corpus as a table and two pictures")
    describe.add_argument("--corpus", type=Path, required=True, help="folder of a built corpus")
    describe.add_argument("--out", type=Path, help="where report.md and the pictures go; default: the corpus")
    topics = verbs.add_parser("topics", help="how well the labeller agrees with posts labelled by hand")
    topics.add_argument(
        "--corpus", type=Path, required=True, help="folder of a corpus built from SmileChat and CPsyCounD"
    )
    chains = verbs.add_parser("chains", help="check training/seed_chains")
    chains.add_argument("--data", type=Path, help="folder of the sets, none of which a chain may share text with")
    return root


def tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def records_of(corpus: Path) -> Iterator[Record]:
    """All records of a built corpus."""
    return chain.from_iterable(read_corpus(corpus, split) for split in SPLITS)


def check_chains(data: Path | None) -> int:
    """Write every fault of the seed chains to stdout."""
    from training.data.dialogues import all_texts
    from training.data.seed_chains import faults, read_seed_chains, read_triples

    found = faults(read_seed_chains(), read_triples(), all_texts(data) if data else ())
    sys.stdout.write("".join(f"{fault}\n" for fault in found))
    return 2 if found else 0


def main(arguments: list[str]) -> int:
    """Run a verb; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        match options.verb:
            case "build":
                sets = sets_in(options.data) if options.data else {}
                for given in options.set:
                    name, _, path = given.partition("=")
                    if not path:
                        raise DataError(f"--set {given} names no path; write it as NAME=PATH.")
                    sets[name] = Path(path)
                summary = build(sets, options.out, tell)
                sys.stdout.write(json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
            case "report":
                from training.data.report import report

                sys.stdout.write(report(options.corpus, options.out or options.corpus))
            case "topics":
                from training.data.agreement import agreement

                sys.stdout.write(agreement(records_of(options.corpus)) + "\n")
            case "chains":
                return check_chains(options.data)
    except (DataError, OSError) as error:
        tell(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
