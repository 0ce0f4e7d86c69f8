"""Classes as the platforms let an instructor download them, made from {student: source of model.py, or None}."""

import io
import json
import os
import re
import zipfile

import yaml

from autograder.classroom import workers


def plain(students):
    return {f"{name}/model.py": source for name, source in students.items()}


def nbgrader(students):
    files = {f"submitted/{name}/iwae/model.py": source for name, source in students.items()}
    return files | {f"submitted/{name}/iwae/iwae.ipynb": b"{}" for name in students}


def moodle(students):
    """Every second student packs a folder, and hands in a zip."""
    files = {}
    for number, (name, source) in enumerate(students.items()):
        folder = f"{name}_{1000 + number}_assignsubmission_file_"
        if number % 2 or source is None:
            files[f"{folder}/work/model.py"] = source
        else:
            files[f"{folder}/my work.zip"] = zipped({"iwae/base_code/model.py": source, "__MACOSX/._model.py": b"x"})
    return files


def canvas(students):
    files = {}
    for number, (name, source) in enumerate(students.items()):
        who = re.sub(r"[^a-z]", "", name.lower())
        late = "_LATE" if number % 2 else ""
        if source is None:
            files[f"{who}{late}_{100 + number}_{5000 + number}_notes.txt"] = b""
            continue
        files[f"{who}{late}_{100 + number}_{5000 + number}_model.py"] = b"raise SystemExit('the first attempt')"
        files[f"{who}{late}_{100 + number}_{6000 + number}_model-1.py"] = source
    return files


def gradescope(students):
    files, metadata = {}, {}
    for number, (name, source) in enumerate(students.items()):
        files[f"assignment_77_export/submission_{number}/model.py"] = source
        submitter = {":name": name, ":sid": f"s{number}", ":email": f"{number}@example.edu"}
        created = f"2026-11-{1 + number % 28:02} 12:00:00.000000000 Z"
        metadata[f"submission_{number}"] = {":submitters": [submitter], ":created_at": created, ":score": 0.0}
    files["assignment_77_export/submission_metadata.yml"] = yaml.safe_dump(metadata).encode()
    return files


LAYOUTS = {"plain": plain, "nbgrader": nbgrader, "moodle": moodle, "canvas": canvas, "gradescope": gradescope}


def in_folder(folder, files):
    """Write {path: content} below a folder. None: the folder of that file, and nothing in it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content)
    return folder


def zipped(files, edit=None):
    """The same as the bytes of a zip. edit: a function that changes a ZipInfo before it is written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name if content is not None else name.rpartition("/")[0] + "/")
            info.compress_type = zipfile.ZIP_DEFLATED
            if edit:
                edit(info)
            archive.writestr(info, content or b"")
    return buffer.getvalue()


def results(score):
    """results.json with two checks, of which one is passed and has that score."""
    extra = {"submission_sha256": "0", "grader_version": "0", "seed": 0, "sandbox_level": "", "dataset": None}
    return {
        "score": score, "output": "=evil() of 80 points.", "execution_time": 1.0,
        "extra_data": {**extra, "assignment": "iwae", "nll": {"mode": "off"}},
        "tests": [{"name": f"TODO 1: {check}", "max_score": points, "tags": ["todo1"],
                   "extra_data": {"check": check, "verdict": verdict, "misconception": None}}
                  for check, verdict, points in (("values", "PASS", score), ("gradients", "EXCEPTION", 80 - score))],
    }  # fmt: skip


def fatal(job, source):
    """Instead of workers.judge: what kills the worker, what has no report, and else the length for a score."""
    if source == b"worker":
        os._exit(1)
    if source == b"judge":
        raise workers.JudgeDied("the judge ended without a report")
    return json.dumps(results(len(source))).encode(), b"report"
