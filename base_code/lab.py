"""The tables and pictures of a lab, made with the functions of the student's file.

python base_code/lab.py importance                      all parts
python base_code/lab.py importance --part rare-event    one of them
"""

from cli import ROOT, UserError, run_command  # isort: skip  # first: Ctrl-C while torch is imported

import argparse
import importlib
import sys
from pathlib import Path

from model_file import Unfinished, explained, import_file
from outputs import owned_folder
from process import prepare_device

STUDIES = ROOT / "base_code" / "studies"  # in each: PARTS, {name: module with study(lab, out, model_file) -> paths}


def names():
    return sorted(path.parent.name for path in STUDIES.glob("*/__init__.py"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=names(), help="the lab")
    parser.add_argument("--part", help="one part only; without it, all of them, one after the other")
    parser.add_argument("--file", metavar="FILE", help="the lab's file (default: base_code/labs/NAME.py)")
    parser.add_argument("--model", default="base_code/model.py", metavar="FILE", help="the model file of the core")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write (default: runs/lab-NAME)")
    given = parser.parse_args()
    study = importlib.import_module(f"studies.{given.name}")
    if given.part and given.part not in study.PARTS:
        raise UserError(f"--part {given.part}: {given.name} has {', '.join(study.PARTS)}")
    prepare_device("cpu")
    lab = import_file(given.file or f"base_code/labs/{given.name}.py")
    out = owned_folder(given.out or ROOT / "runs" / f"lab-{given.name}", "lab")
    parts = {given.part: study.PARTS[given.part]} if given.part else study.PARTS
    failed = False
    for number, (name, part) in enumerate(parts.items(), start=1):
        print(f"\n{number}/{len(parts)} {name}: {part.study.__doc__.splitlines()[0]}", flush=True)
        try:
            with explained(lab.__file__):
                written = part.study(lab, out, given.model)
            print("wrote", ", ".join(str(path) for path in written))
        except Unfinished as todo:
            failed = True
            print(f"not yet: {todo}", file=sys.stderr)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    run_command(main)
