"""The zip for Gradescope: what grading needs of the kit, set-up for its Ubuntu image, and run_autograder.

https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

import re

from autograder import ROOT
from autograder.release import zipped
from autograder.version import KIT
from cli import UserError
from outputs import own_file
from run import write_atomically

FILES = (
    *KIT,
    *(f"autograder/{name}" for name in ("collect.py", "layouts.py", "on_gradescope.py", "report.html.jinja")),
    "base_code/model.py",  # so that the untouched file is known
    "pyproject.toml",
)
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
root=${AUTOGRADER_ROOT:-/autograder}
export OMP_NUM_THREADS=1  # one thread is more than the half a processor that there is
cd "$root/source" && exec "${AUTOGRADER_PYTHON:-$root/venv/bin/python}" -m autograder.on_gradescope "$root"
"""


def requirements():
    """The lines of requirements.txt that grading needs; torch in its build without CUDA, gigabytes smaller."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)", text, re.MULTILINE))
    lines = [f"{name}=={pins[name]}{'+cpu' if name == 'torch' else ''}" for name in PACKAGES]
    return "\n".join(lines) + "\n"


def zip_bytes():
    files = {name: (ROOT / name).read_bytes() for name in FILES}
    files["requirements.txt"] = requirements().encode()
    scripts = {"setup.sh": SETUP.encode(), "run_autograder": RUN.encode()}
    return zipped(files | scripts, executable=scripts)


def build(path):
    """Write the zip; the same kit makes the same bytes."""
    if path.suffix != ".zip":
        raise UserError(f"--out {path}: expected the name of a zip")
    own_file(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, zip_bytes())
