"""What a class's results become: grades.csv for people, canvas.csv and moodle.csv for gradebooks, a folder per student.

All of it is made from the stored results.json files.
"""

import csv
import io
import re
import shutil
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, fields, replace
from pathlib import Path

from autograder.collect import Student
from cli import UserError
from run import write_atomically

ASSIGNMENT = "IWAE"  # the column's name; a gradebook that was exported brings its own, with a number
TASKS = {"todo1": "TODO 1", "todo2": "TODO 2", "todo3": "TODO 3", "nll": "test NLL"}
FORMULA = tuple("=+-@＝＋－＠")  # https://owasp.org/www-community/attacks/CSV_Injection


def has_failed(results):
    """Whether the grader itself failed, so that the score is no mark."""
    return any(test["extra_data"]["verdict"] in ("INFRA", "NOT_RUN") for test in results["tests"])


@dataclass
class Row:
    """A student and what is known of the mark: little, so that a class fits into memory."""

    student: Student
    key: str
    notes: list
    status: str  # graded, rejected, set aside, not graded yet
    path: Path  # of the stored results
    rejected: str = ""
    score: float | None = None  # None where there is no mark
    points: float | None = None
    first: str = ""
    tasks: dict = None  # {task: score}
    checks: dict = None  # {check: (name, score, points, verdict, misconception)}
    nll: dict = None  # {"vae": ..., "iwae": ...}
    listed: Student = None  # with what the roster adds

    def __post_init__(self):
        self.listed = self.listed or self.student

    @classmethod
    def make(cls, student, key, rejected, notes, results, path):
        if results is None:
            return cls(student, key, notes, "not graded yet", path, rejected)
        failed = has_failed(results)
        status = "set aside" if failed else "rejected" if rejected else "graded"
        checks, tasks = {}, defaultdict(int)
        for test in results["tests"]:
            extra, task = test["extra_data"], test["tags"][0]
            tasks[task] += test["score"]
            checks[extra["check"]] = (
                test["name"], test["score"], test["max_score"], extra["verdict"], extra["misconception"]
            )  # fmt: skip
        return cls(
            student, key, notes, status, path, rejected,
            score=None if failed else results["score"],
            points=sum(test["max_score"] for test in results["tests"]),
            first=results["output"],
            tasks=dict(tasks), checks=checks, nll=results["extra_data"]["nll"],
        )  # fmt: skip

    @property
    def mark(self):
        return "" if self.score is None else self.score

    @property
    def report(self):
        return f"students/{self.student.folder}/report.html"


# The roster -----------------------------------------------------------------------------------------------

COLUMNS = {  # a field of Student: the headings of the gradebooks' exports, in lower case
    "name": ("student", "name", "full name", "student name"),
    "email": ("email", "email address", "e-mail"),
    "login": ("sis login id", "login", "username", "folder"),
    "sis_id": ("sis user id", "sid", "student id", "id number"),
    "canvas_id": ("id", "canvas id"),
    "moodle_id": ("identifier", "participant"),
    "section": ("section", "groups"),
}


@dataclass
class Roster:
    students: list
    assignment: str | None  # the column of a Canvas gradebook that this assignment has already


def read_roster(path):
    """A Roster of a CSV with a heading: Canvas' gradebook, Moodle's grading worksheet, or one's own."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text), dialect=csv.Sniffer().sniff(text.partition("\n")[0], ",;\t"))
        lines, headings = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the roster {path} cannot be read: {error}; expected a CSV file in UTF-8") from None
    known = {heading: name for heading in headings for name, names in COLUMNS.items() if heading_in(heading, names)}
    if not known:
        wanted = ", ".join(sorted(names[0] for names in COLUMNS.values()))
        raise UserError(f"the roster {path} has none of the columns {wanted}; found {', '.join(headings)[:200]}")
    students = []
    for line in lines:
        values = {known[heading]: (line[heading] or "").strip() for heading in known}
        parts = [line[h] or "" for h in headings if heading_in(h, ("first name", "last name", "surname"))]
        values.setdefault("name", " ".join(parts).strip())
        values["moodle_id"] = values.get("moodle_id", "").rpartition(" ")[2]  # "Participant 123"
        if "points possible" not in values["name"].lower() and any(values.values()):
            students.append(Student(**values))
    columns = [heading for heading in headings if re.fullmatch(rf"{ASSIGNMENT}\b.*\(\d+\)", heading)]
    return Roster(students, columns[0] if columns else None)


def heading_in(heading, names):
    return (heading or "").strip().lower() in names


def identities(student):
    """Strings by which a student can be found, the surest first."""
    for name in ("canvas_id", "moodle_id", "sis_id", "email", "login"):
        if value := getattr(student, name):
            yield name, value.casefold()
    letters = "".join(c for c in unicodedata.normalize("NFKD", student.name.casefold()) if c.isalnum() or c in " ,")
    words = letters.replace(",", " ").split()
    for i in range(len(words)):  # "Ana Silva", "Silva, Ana" and Canvas' "silvaana"
        yield "letters", "".join(words[i:] + words[:i])
    if student.login:  # a folder may be named after anything
        for name in ("email", "sis_id", "canvas_id"):
            yield name, student.login.casefold()


def match(rows, roster):
    """Fill in what the roster knows of each row's student. Returns sentences on what does not match."""
    index = defaultdict(set)
    for number, student in enumerate(roster.students):
        for identity in identities(student):
            index[identity].add(number)
    problems, taken = [], defaultdict(list)
    for row in rows:
        found = next((index[i] for i in identities(row.student) if i in index), set())
        if len(found) != 1:
            problems.append(f"{row.student.name}: {'several' if found else 'not'} in the roster")
            continue
        (number,) = found
        taken[number].append(row.student.folder)
        given = {f.name: value for f in fields(Student) if (value := getattr(roster.students[number], f.name))}
        row.listed = replace(row.student, **given)
    problems += [f"{roster.students[n].name}: several hand-ins, {', '.join(f)}" for n, f in taken.items() if len(f) > 1]
    problems += [f"{s.name}: in the roster, nothing handed in" for n, s in enumerate(roster.students) if n not in taken]
    return problems


# The files ------------------------------------------------------------------------------------------------


def write(out, rows, assignment=None):
    """Write the CSV files and a folder for each student. Returns sentences on who is in no gradebook."""
    write_students(out / "students", rows)
    write_csv(out / "grades.csv", grades(rows), bom=True)  # without it a spreadsheet garbles accents
    write_csv(out / "canvas.csv", canvas(rows, assignment or ASSIGNMENT))
    write_csv(out / "moodle.csv", moodle(rows))
    lacking = [row.listed.name for row in rows if row.score is not None and not row.listed.email]
    if not lacking:
        return []
    names = f"{', '.join(lacking[:5])}{' …' if len(lacking) > 5 else ''}"
    return [f"not in moodle.csv, for want of an email address (--roster FILE): {names}"]


def write_students(folder, rows):
    """students/NAME/ with copies of each student's results and report, and no others."""
    folder.mkdir(exist_ok=True)
    graded = {row.student.folder: row for row in rows if row.score is not None or row.tasks}
    for old in folder.iterdir():
        if old.name not in graded:
            shutil.rmtree(old)
    for name, row in graded.items():
        (folder / name).mkdir(exist_ok=True)
        for file in ("results.json", "report.html"):
            write_atomically(folder / name / file, (row.path / file).read_bytes())


def write_csv(path, lines, bom=False):
    """Numbers bare, texts in quotes and harmless: no spreadsheet takes a cell for a formula."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(
        [[harmless(cell) if isinstance(cell, str) else cell for cell in line] for line in lines]
    )
    write_atomically(path, text.getvalue().encode("utf-8-sig" if bom else "utf-8", errors="replace"))


def harmless(text):
    text = " ".join(text.split()) if text.strip() else ""
    return "'" + text if text.startswith(FORMULA) else text


def grades(rows):
    tasks = [task for task in TASKS if any(row.tasks and task in row.tasks for row in rows)]
    yield [
        "student", "email", "score", "points", *(TASKS[task] for task in tasks), "VAE NLL", "IWAE NLL", "status",
        "notes", "report",
    ]  # fmt: skip
    for row in rows:
        scores = [row.tasks.get(task, "") if row.score is not None else "" for task in tasks]
        nll = [(row.nll or {}).get(objective) for objective in ("vae", "iwae")]
        yield [
            row.listed.name, row.listed.email, row.mark, row.points or "", *scores,
            *("" if figure is None else figure for figure in nll), row.status,
            "; ".join(filter(None, [row.rejected, *row.notes])), row.report if row.tasks else "",
        ]  # fmt: skip


def canvas(rows, assignment):
    """https://community.canvaslms.com/t5/Instructor-Guide/How-do-I-import-grades-in-the-Gradebook/ta-p/807"""
    yield ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", assignment]
    yield ["Points Possible", "", "", "", "", max((row.points for row in rows if row.points), default="")]
    for row in rows:
        if row.score is not None:
            s = row.listed
            yield [s.name, s.canvas_id, s.sis_id, s.login, s.section, row.score]


def moodle(rows):
    """https://docs.moodle.org/en/Grade_import"""
    yield ["Email address", ASSIGNMENT, "Feedback"]
    for row in rows:
        if row.score is not None and row.listed.email:
            yield [row.listed.email, row.score, row.first]
