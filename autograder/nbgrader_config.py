"""nbgrader's settings for this course: JUPYTER_CONFIG_PATH=autograder nbgrader ... reads them.

A student's notebook is never run while it is graded: only the four graded cells are, and they come from us. What a
student wrote into a notebook cannot kill the kernel, fake a mark or stop another student's grading.
"""

import os
import sys
from pathlib import Path

import nbformat
from nbgrader import preprocessors
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin
from nbgrader.utils import is_grade, is_locked, is_solution

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT / "course"  # the students' files, the database, the feedback: not for git
COURSE.mkdir(exist_ok=True)


class ReleasedCells(preprocessors.base.NbGraderPreprocessor):
    """The released notebook, with the student's written answers in it.

    Cells that are missing, doubled, moved or changed in the submitted notebook make no difference then.
    """

    def preprocess(self, notebook, resources):
        answers = {}
        for cell in notebook.cells:
            marks = cell.metadata.get("nbgrader")
            if isinstance(marks, dict) and isinstance(marks.get("grade_id"), str):
                # No tag, so that nothing a student wrote can run in the browser of who reads it.
                answers.setdefault(marks["grade_id"], cell.source.replace("<", "&lt;"))
        released = nbformat.read(ROOT / "assignment" / "iwae" / "iwae.ipynb", as_version=4)
        for cell in released.cells:
            if is_solution(cell):
                cell.source = answers.get(cell.metadata.nbgrader.grade_id, cell.source)
        return released, resources


class ExecuteGradedCells(preprocessors.Execute):
    """Runs the graded cells alone, against the model.py that was handed in beside the notebook."""

    def preprocess(self, notebook, resources, **options):
        submitted = Path(self.config.CourseDirectory.root, self.config.CourseDirectory.submitted_directory)
        ids = resources["nbgrader"]
        # Where it was handed in: nbgrader's copy of it would have lost that it is a link, say.
        os.environ["IWAE_SUBMISSION"] = str(submitted / ids["student"] / ids["assignment"] / "model.py")
        with Gradebook(ids["db_url"]) as gradebook:  # no mark of an earlier attempt may outlive a failure
            for grade in gradebook.find_submission_notebook(ids["notebook"], ids["assignment"], ids["student"]).grades:
                grade.auto_score = None
            gradebook.db.commit()
        return super().preprocess(notebook, resources, **options)

    def preprocess_cell(self, cell, resources, index):
        if not (is_grade(cell) and is_locked(cell)):
            return cell, resources
        cell, resources = super().preprocess_cell(cell, resources, index)
        for output in cell.outputs:
            # nbgrader takes either for 0 points; but these cells are ours, so it is our failure and no mark.
            if output.output_type == "error" or output.get("name") == "stderr":
                text = output.get("evalue") or output.get("text")
                raise RuntimeError(f"the grader failed for {os.environ['IWAE_SUBMISSION']}: {text}")
        return cell, resources


class Marks(ExportPlugin):
    """grades.csv. A mark that is not known is left empty: nbgrader's own export writes 0.0 for it."""

    def export(self, gradebook):
        from autograder.gradebooks import write_csv  # only here: the other steps need none of it

        lines = [["student_id", "code", "written", "score", "max_score"]]
        for student in gradebook.students:
            try:
                grades = gradebook.find_submission_notebook("iwae", "iwae", student.id).grades
            except MissingEntry:  # nothing was handed in
                grades = []
            code = total([grade for grade in grades if grade.cell.cell_type == "code"])
            written = total([grade for grade in grades if grade.cell.cell_type != "code"])
            score = "" if "" in (code, written) else code + written
            lines.append([student.id, code, written, score, sum(grade.max_score for grade in grades) or ""])
        write_csv(Path(self.to or "grades.csv"), lines)


def total(grades):
    """The sum of what the autograder or a person gave; "" where one of them is missing."""
    known = [grade.auto_score is not None or grade.manual_score is not None for grade in grades]
    return sum(grade.score for grade in grades) if grades and all(known) else ""


os.environ["PYTHONPATH"] = str(ROOT)  # the graded cells import autograder
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # nbgrader's tools
sys.path.insert(0, str(ROOT))

c = get_config()  # noqa: F821 (nbgrader provides it)
c.CourseDirectory.root = str(ROOT)
c.CourseDirectory.course_id = "iwae"
c.CourseDirectory.db_url = f"sqlite:///{COURSE / 'gradebook.db'}"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignment"
c.CourseDirectory.submitted_directory = "course/submitted"
c.CourseDirectory.autograded_directory = "course/autograded"
c.CourseDirectory.feedback_directory = "course/feedback"
c.Autograde.sanitize_preprocessors = [
    ReleasedCells,
    preprocessors.OverwriteKernelspec,
    preprocessors.OverwriteCells,  # puts the hidden tests back
    preprocessors.CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    ExecuteGradedCells,
    preprocessors.SaveAutoGrades,
    preprocessors.AssignLatePenalties,
    preprocessors.CheckCellMetadata,
]
c.ExecuteGradedCells.timeout = 3600  # seconds for a cell; the last one trains two models
c.ExportApp.plugin_class = Marks
