"""The folders that Gradescope documents, with the kit's zip in them."""

import io
import json
import os
import subprocess
import sys
import zipfile

from autograder.gradescope import build


def made(root, assignment):
    """root as /autograder with the assignment's zip in source/, once for all submissions."""
    for name in ("source", "submission", "results"):
        (root / name).mkdir()
    with zipfile.ZipFile(io.BytesIO(build.zip_bytes(assignment))) as archive:
        archive.extractall(root / "source")
    (root / "source" / "run_autograder").chmod(0o755)
    return root


def run(root, files, **variables):
    """Results of run_autograder for {name: text} in submission/."""
    for old in [*(root / "submission").iterdir(), *(root / "results").iterdir()]:
        old.unlink()
    for name, text in files.items():
        (root / "submission" / name).write_text(text)
    env = {"PATH": os.environ["PATH"], "AUTOGRADER_ROOT": str(root), "AUTOGRADER_PYTHON": sys.executable, **variables}
    ended = subprocess.run([root / "source" / "run_autograder"], env=env, capture_output=True, text=True, cwd="/")
    results = json.loads((root / "results" / "results.json").read_text())
    assert results["score"] == sum(test["score"] for test in results["tests"]), ended.stderr
    return results
