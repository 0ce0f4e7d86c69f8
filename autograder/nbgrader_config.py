"""nbgrader's settings for this course: JUPYTER_CONFIG_PATH=autograder nbgrader ... reads them.

A student's notebook is never run while it is graded: only the four graded cells are, and they come from us, in an
empty folder. What a student wrote into a notebook, or put beside it, cannot run, fake a mark or stop another's grading.
"""

import os
import sys
import tempfile
from pathlib import Path

from nbgrader import preprocessors
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import api, autogradeapp
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.plugins import ExportPlugin
from nbgrader.utils import is_grade, is_locked

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT / "course"  # the students' files, the database, the feedback: not for git
COURSE.mkdir(exist_ok=True)


class AutogradeCopies(Autograde):
    """nbgrader's step, on copies: nothing else of a hand-in, and no link, comes near nbgrader or a kernel."""

    def start(self):
        from autograder.classroom.handed_in import copy_all  # only here: the other steps need none of it

        assignment = assignments.get(self.coursedir.assignment_id)
        course, submitted, self.graded = self.coursedir, self.coursedir.submitted_directory, []
        with tempfile.TemporaryDirectory(prefix="copies-", dir=COURSE) as copies:
            self.hand_ins = copy_all(ROOT / submitted, course.student_id, assignment, Path(copies))
            if not self.hand_ins:
                self.log.error(
                    f"nothing was handed in: no folder {submitted}/{course.student_id}/{course.assignment_id}"
                )
                raise NbGraderException
            course.submitted_directory = copies
            try:
                super().start()
            finally:
                course.submitted_directory = submitted
                self.tell()
        if any(hand_in.problems for hand_in in self.graded):
            raise NbGraderException

    def init_assignment(self, assignment_id, student_id):
        self.graded.append(self.hand_ins[student_id])
        super().init_assignment(assignment_id, student_id)

    def tell(self):
        """Name the students at whose hand-ins a person must look."""
        for hand_in in self.graded:
            for problem in hand_in.problems:
                where = f"assignment '{hand_in.folder.name}' for student '{hand_in.student}'"
                self.log.error(f"There was an error processing {where}: {problem}")
            for note in hand_in.notes:
                self.log.warning(f"{hand_in.student}: {note}")


class ExecuteGradedCells(preprocessors.Execute):
    """Runs the graded cells alone, against the file that was handed in beside the notebook."""

    def preprocess(self, notebook, resources, **options):
        from autograder.classroom.handed_in import check_folder, find

        ids = resources["nbgrader"]
        with Gradebook(ids["db_url"]) as gradebook:  # no mark of an earlier attempt may outlive a failure
            for grade in gradebook.find_submission_notebook(ids["notebook"], ids["assignment"], ids["student"]).grades:
                grade.auto_score = None
            gradebook.db.commit()
        # Where it was handed in: the copy would have lost that it is a link, say.
        submitted = ROOT / self.config.CourseDirectory.submitted_directory
        folder = submitted / ids["student"] / ids["assignment"]
        check_folder(folder)
        self.assignment = assignments.get(ids["assignment"])
        self.submission = str(find(folder, self.assignment.file_name))
        with tempfile.TemporaryDirectory() as self.empty:
            return super().preprocess(notebook, resources, **options)

    def start_new_kernel(self, **options):
        """In an empty folder, importing from nowhere but the kit and the environment."""
        what = {"IWAE_SUBMISSION": self.submission, "IWAE_ASSIGNMENT": self.assignment.name}
        where = {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
        super().start_new_kernel(cwd=self.empty, env={**os.environ, **what, **where}, **options)

    def preprocess_cell(self, cell, resources, index):
        if not (is_grade(cell) and is_locked(cell)):
            return cell, resources
        cell, resources = super().preprocess_cell(cell, resources, index)
        for output in cell.outputs:
            # nbgrader takes either for 0 points; but these cells are ours, so it is our failure and no mark.
            if output.output_type == "error" or output.get("name") == "stderr":
                text = output.get("evalue") or output.get("text")
                raise RuntimeError(f"the grader failed for {self.submission}: {text}")
        return cell, resources


class Marks(ExportPlugin):
    """grades.csv. A mark that is not known is left empty: nbgrader's own export writes 0.0 for it."""

    def export(self, gradebook):
        from autograder.classroom.gradebooks import write_csv  # only here: the other steps need none of it

        name = self.assignment[0] if self.assignment else assignments.DEFAULT
        lines = [["student_id", "code", "written", "score", "max_score"]]
        for student in gradebook.students:
            try:
                grades = gradebook.find_submission_notebook(name, name, student.id).grades
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


os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # nbgrader's tools
sys.path.insert(0, str(ROOT))

from autograder import assignments  # noqa: E402
from autograder.classroom.safe_html import markdown2html  # noqa: E402

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
autogradeapp.Autograde = api.Autograde = AutogradeCopies  # the command's, and formgrader's: no setting names the class
c.ExecuteGradedCells.extra_arguments = ["--IPKernelApp.ignore_cwd=True", "--HistoryManager.hist_file=:memory:"]
c.ExecuteGradedCells.timeout = 3600  # seconds for a cell; the last one trains two models
c.HTMLExporter.filters = {"markdown2html": markdown2html}  # of feedback and of formgrader
c.ExportApp.plugin_class = Marks
