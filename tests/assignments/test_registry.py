"""The registry, and that only an assignment's folder knows its subject."""

import re
from pathlib import Path

import pytest

from autograder import assignments
from cli import ROOT, UserError

ENTRY_POINTS = ("__main__.py", "hidden_tests.py")  # whose help gives examples


def test_the_files_name_chooses_and_an_option_overrides():
    core = assignments.get(assignments.DEFAULT)
    assert assignments.choose() is core
    assert assignments.choose(path=Path("anywhere", core.file_name)) is core
    assert assignments.choose(path=Path("something else.py")) is core
    assert assignments.choose(core.name, Path("something else.py")) is core
    with pytest.raises(UserError, match="there is no assignment none; expected iwae"):
        assignments.get("none")


def subject_words(assignment):
    """What only the assignment's folder may speak of: its tasks, its functions, its stages."""
    functions = [name for task in assignment.tasks for name in task.functions]
    tasks = [word for task in assignment.tasks for word in (task.id, task.title)]
    return {*tasks, *functions, *assignment.names, *(stage.option for stage in assignment.stages)}


def test_generic_code_names_no_subject():
    words = {word for name in assignments.NAMES for word in subject_words(assignments.get(name))}
    named = re.compile(rf"\b({'|'.join(map(re.escape, sorted(words)))})\b", re.IGNORECASE)
    allowed = re.compile(r"IWAE_[A-Z]+|iwae-student|iwae/|iwae\.pdf|\"iwae\"|IWAE course kit")  # the kit's own name
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "autograder").rglob("*"))
        if path.suffix in (".py", ".jinja") and path.name not in ENTRY_POINTS
        if not any((ROOT / "autograder" / "assignments" / name) in path.parents for name in assignments.NAMES)
        for line in path.read_text(encoding="utf-8").splitlines()
        if named.search(allowed.sub("", line))
    ]
    assert found == []


def test_only_the_registry_imports_assignments():
    """And of the assignments' folders only their own modules import one another."""
    for path in (ROOT / "autograder").rglob("*.py"):
        if "assignments" not in path.parts:
            assert not re.search(r"(from|import) autograder\.assignments\.", path.read_text(encoding="utf-8")), path
