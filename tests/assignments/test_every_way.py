"""Every assignment in each way that it is graded: as a class, by nbgrader, by Gradescope.

python -m pytest tests/assignments/test_every_way.py --thorough
"""

import pytest

from autograder import assignments
from helpers.ways import WAYS

pytestmark = pytest.mark.slow
ALL = [assignments.get(name) for name in assignments.NAMES]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("assignment", ALL, ids=lambda assignment: assignment.name)
def test_the_stub_gets_nothing_and_the_solution_everything(assignment, way, tmp_path, pytestconfig):
    """The core's trained stage runs by Gradescope alone."""
    if not pytestconfig.option.thorough:
        pytest.skip("six minutes: --thorough")
    if way == "nbgrader" and not assignment.has_notebook:
        pytest.skip("it has no notebook")
    sources = {"ana": assignment.student_file.read_bytes(), "bo": assignment.solution.read_bytes()}
    reports = WAYS[way](tmp_path, assignment, sources)
    trained = {stage.task for stage in assignment.stages} if way != "gradescope" else set()
    points = {task: sum(checks.values()) for task, checks in assignment.points.items()}
    assert reports["ana"].score == 0 and reports["ana"].lost == set(points) - trained
    assert reports["bo"].score == sum(points[task] for task in set(points) - trained)
    assert not reports["bo"].lost
