"""The instructor's commands: python -m autograder COMMAND."""

import argparse
from pathlib import Path

from autograder import demo, reference, release  # first: it makes base_code importable

from cli import run_command  # isort: skip


def run_release(arguments):
    if arguments.check:
        release.check()
        print("base_code/model.py is what solutions/model.py makes of it")
    else:
        print("wrote", ", ".join(str(path.relative_to(release.ROOT)) for path in release.release()))


def run_reference(arguments):
    reference.measure_reference(arguments.work)
    print(f"wrote {reference.REFERENCE.relative_to(reference.ROOT)} and README's table")


def run_demo(arguments):
    demo.demo(arguments.out)


def main():
    parser = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("release", help="make the students' files from solutions/")
    command.add_argument("--check", action="store_true", help="change nothing; fail if the files are not up to date")
    command.set_defaults(run=run_release)

    command = commands.add_parser("reference", help="train the reference and write solutions/reference.json (an hour)")
    command.add_argument("--work", type=Path, default=Path("runs/reference"), help="folder for its runs")
    command.set_defaults(run=run_reference)

    command = commands.add_parser("demo", help="train autoencoder, VAE and IWAE for a few epochs and compare them")
    command.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for its runs and the picture")
    command.set_defaults(run=run_demo)

    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    run_command(main)
