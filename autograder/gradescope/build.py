"""The zip for Gradescope: what grading needs of the kit, set-up for its Ubuntu image, and run_autograder.

https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

import re
from pathlib import Path

from autograder import ROOT
from autograder.authoring.zips import zipped
from autograder.grading.version import kit_files, with_imports
from cli import UserError
from outputs import own_file, write_atomically

PACKAGES = (  # what grading imports; the versions are those of requirements.txt
    "torch numpy scikit-learn matplotlib pillow pooch requests tqdm rich safetensors scipy jinja2"
).split()

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, as root, to make the image.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends bubblewrap libseccomp2 util-linux python3 python3-venv
python=python3
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then  # Ubuntu 22.04 has 3.11 beside its python3
    apt-get install --yes --no-install-recommends python3.11 python3.11-venv
    python=python3.11
fi
$python -m venv /autograder/venv
cd /autograder/source
/autograder/venv/bin/pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \\
    --requirement requirements.txt
"""

RUN = """\
#!/usr/bin/env bash
# Gradescope runs this for each submission, as root.
root=${{AUTOGRADER_ROOT:-/autograder}}
export OMP_NUM_THREADS=1  # one thread is more than the half a processor that there is
cd "$root/source"
exec "${{AUTOGRADER_PYTHON:-$root/venv/bin/python}}" -m autograder.gradescope.run "$root" {assignment}
"""


def requirements():
    """The lines of requirements.txt that grading needs; torch in its build without CUDA, gigabytes smaller."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)", text, re.MULTILINE))
    lines = [f"{name}=={pins[name]}{'+cpu' if name == 'torch' else ''}" for name in PACKAGES]
    return "\n".join(lines) + "\n"


def zip_bytes(assignment):
    runs_there = with_imports([Path(__file__).with_name("run.py")])
    names = {
        *kit_files(assignment),
        *(path.relative_to(ROOT).as_posix() for path in runs_there),
        "autograder/reports/report.html.jinja",
        assignment.file,  # so that the untouched file is known
        "pyproject.toml",
    }
    files = {name: (ROOT / name).read_bytes() for name in names}
    files["requirements.txt"] = requirements().encode()
    scripts = {"setup.sh": SETUP.encode(), "run_autograder": RUN.format(assignment=assignment.name).encode()}
    return zipped(files | scripts, executable=scripts)


def build(assignment, path):
    """Write the zip, and return its path; the same kit makes the same bytes."""
    if path.suffix != ".zip":
        raise UserError(f"--out {path}: expected the name of a zip")
    own_file(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, zip_bytes(assignment))
    return path
