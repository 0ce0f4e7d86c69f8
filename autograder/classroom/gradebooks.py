"""What a class's results become: grades.csv for people, canvas.csv and moodle.csv for gradebooks, a folder per student.

All of it is made from the stored results.json files.
"""

import csv
import io
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, fields, replace
from pathlib import Path

from autograder.classroom.layouts import Student
from autograder.grading.ledger import Ledger
from cli import UserError
from outputs import remove_own, write_atomically

# What a spreadsheet may take for a formula, in a cell or where it splits one; before it may lie signs that one does not
# see or that are dropped. https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = re.compile(r"(^|[,|])(\s*)((?:[^\w,|]|[\u115f\u1160\u3164\uffa0])*[=+\-@−＝＋－＠﹦﹢﹣﹫])")


@dataclass
class Row:
    """A student and what is known of the mark."""

    student: Student
    key: str
    rejected: str  # why the file could not be graded, if so
    notes: list
    path: Path  # of the stored results
    ledger: Ledger | None = None  # None where nothing was graded yet
    first: str = ""  # what the report says first
    listed: Student = None  # with what the roster adds
    is_contested: bool = False  # others hand in as the same student of the roster, too

    def __post_init__(self):
        self.listed = self.listed or self.student

    @property
    def status(self):
        if self.ledger is None:
            return "not graded yet"
        if not self.ledger.is_mark:
            return "set aside"
        return "rejected" if self.rejected else "graded"

    @property
    def score(self):
        """None where there is no mark."""
        return self.ledger.score if self.ledger and self.ledger.is_mark else None

    @property
    def mark(self):
        return "" if self.score is None else self.score

    @property
    def report(self):
        """The path of the student's report, "" where there is none."""
        return f"students/{self.student.folder}/report.html" if self.ledger else ""


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
    lines: list  # (the Student of a line, the place of the same in students): found by whatever a line calls them
    column: str | None  # of a Canvas gradebook that this assignment has already


def read_roster(path, title):
    """A Roster of a CSV with a heading: Canvas' gradebook, Moodle's grading worksheet, or one's own.

    title: the assignment's; an exported gradebook has it in the heading of a column, with a number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"the roster {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"the roster {path} is not in UTF-8; save it as a CSV file in UTF-8") from None
    lines, headings = parsed(text, path)
    known = known_columns(headings)
    if not known:
        wanted = ", ".join(sorted(names[0] for names in COLUMNS.values()))
        raise UserError(
            f"the roster {path} has none of the columns {wanted}; found {', '.join(headings)[:200] or 'nothing'}"
        )
    students = []
    for line in lines:
        values = {}
        for heading, name in known.items():  # of two columns for one thing the first that is filled
            values[name] = values.get(name) or (line[heading] or "").strip()
        parts = [line[h] or "" for h in headings if heading_in(h, ("first name", "last name", "surname"))]
        values["name"] = values.get("name") or " ".join(parts).strip()
        values["moodle_id"] = values.get("moodle_id", "").rpartition(" ")[2]  # "Participant 123"
        if "points possible" not in values["name"].lower() and any(values.values()):
            students.append(Student(**values))
    columns = [heading for heading in headings if re.fullmatch(rf"{re.escape(title)}\b.*\(\d+\)", heading)]
    return Roster(*merged(students), columns[0] if columns else None)


def parsed(text, path):
    """The lines of a CSV as dictionaries, and its headings: split where that gives the most columns that are known."""
    text = re.sub(r"^sep=.\n", "", text.lstrip("\n"))  # Excel's own first line
    first = {delimiter: next(csv.reader(io.StringIO(text), delimiter=delimiter), []) for delimiter in ",;\t"}
    delimiter = max(first, key=lambda delimiter: (len(known_columns(first[delimiter])), len(first[delimiter])))
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        return list(reader), reader.fieldnames or []
    except csv.Error as error:
        raise UserError(f"the roster {path} is no CSV file: {error}, in line {reader.line_num} or before") from None


def known_columns(headings):
    """{heading: the field of Student that it names}"""
    return {h: name for h in headings for name, names in COLUMNS.items() if heading_in(h, names)}


IDS = ("canvas_id", "moodle_id", "sis_id", "email", "login")  # the surest first


def merged(students):
    """Roster.students and Roster.lines: each student once, also who has two lines, being in two sections, say."""
    found, lines, by_id = [], [], defaultdict(list)
    for student in students:
        ids = [(name, value.casefold()) for name in IDS if (value := getattr(student, name))]
        number = next((n for i in ids for n in by_id[i] if is_same(found[n], student)), None)
        if number is None:
            number = len(found)
            found.append(student)
        found[number] = filled_in(student, found[number])
        for i in ids:
            by_id[i].append(number)
        lines.append((student, number))
    return found, lines


def filled_in(student, known):
    """The student with what is known besides, which counts more."""
    return replace(student, **{f.name: value for f in fields(Student) if (value := getattr(known, f.name))})


def is_same(one, other):
    """Whether two lines that share an id tell of one student: none of their ids differ, and their names go together."""
    pairs = [(getattr(one, name).casefold(), getattr(other, name).casefold()) for name in IDS]
    words, others = set(words_of(one.name)), set(words_of(other.name))
    return all(a == b for a, b in pairs if a and b) and (words <= others or others <= words)


def words_of(name):
    """The words of a name, without case, accents and order of first and last name's comma."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if c.isalnum() or c in " ,")
    return letters.replace(",", " ").split()


def heading_in(heading, names):
    return (heading or "").strip().lower() in names


def identities(student):
    """Strings by which a student can be found, the surest first."""
    for name in IDS:
        if value := getattr(student, name):
            yield name, value.casefold()
    words = words_of(student.name)
    for i in range(len(words)):  # "Ana Silva", "Silva, Ana" and Canvas' "silvaana"
        yield "letters", "".join(words[i:] + words[:i])
    if student.login:  # a folder may be named after anything
        for name in ("email", "sis_id", "canvas_id"):
            yield name, student.login.casefold()


def match(rows, roster):
    """Fill in what the roster knows of each row's student. Returns sentences on what does not match."""
    index = defaultdict(set)
    for line, number in roster.lines:
        for identity in identities(line):
            index[identity].add(number)
    problems, taken = [], defaultdict(list)
    for row in rows:
        found = next((index[i] for i in identities(row.student) if i in index), set())
        if len(found) != 1:
            problems.append(f"{row.student.name}: {'several' if found else 'not'} in the roster")
            continue
        (number,) = found
        taken[number].append(row)
        row.listed = filled_in(row.student, roster.students[number])
    for number, several in taken.items():
        if len(several) > 1:
            names = ", ".join(row.student.folder for row in several)
            problems.append(f"{roster.students[number].name}: several hand-ins, {names}; none is in a gradebook")
            for row in several:
                row.is_contested = True
    problems += [f"{s.name}: in the roster, nothing handed in" for n, s in enumerate(roster.students) if n not in taken]
    return problems


# The files ------------------------------------------------------------------------------------------------


REPORTS = ("results.json", "report.html")


def write(out, rows, assignment, column=None):
    """Write the CSV files and a folder for each student. Returns sentences on who is in no gradebook.

    column: the heading that a Canvas gradebook has for the assignment already.
    """
    write_students(out / "students", rows)
    write_csv(out / "grades.csv", grades(rows, assignment), bom=True)  # without it a spreadsheet garbles accents
    write_csv(out / "canvas.csv", canvas(rows, column or assignment.title))
    write_csv(out / "moodle.csv", moodle(rows, assignment.title))
    lacking = [row.listed.name for row in rows if row.score is not None and not row.listed.email]
    if not lacking:
        return []
    names = f"{', '.join(lacking[:5])}{' …' if len(lacking) > 5 else ''}"
    return [f"not in moodle.csv, for want of an email address (--roster FILE): {names}"]


def write_students(folder, rows):
    """students/NAME/ with copies of each student's results and report, without those of who is no student any more."""
    folder.mkdir(exist_ok=True)
    graded = {row.student.folder: row for row in rows if row.ledger}
    for old in folder.iterdir():
        if old.name not in graded:
            remove_own(old, REPORTS)
    for name, row in graded.items():
        (folder / name).mkdir(exist_ok=True)
        for file in REPORTS:
            write_atomically(folder / name / file, (row.path / file).read_bytes())


def write_csv(path, lines, bom=False):
    """Numbers bare, texts in quotes and harmless."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(
        [[harmless(cell) if isinstance(cell, str) else cell for cell in line] for line in lines]
    )
    write_atomically(path, text.getvalue().encode("utf-8-sig" if bom else "utf-8", errors="replace"))


def harmless(text):
    """The text in one line that no spreadsheet takes for a formula, and none that splits at ";" or tabs for two cells.

    Quotes alone do not see to that: they count for the separator that they were written with.
    """
    visible = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    return FORMULA.sub(r"\1\2'\3", " ".join(visible.split()).replace(";", ","))


def grades(rows, assignment):
    ledgers = [row.ledger for row in rows if row.ledger]
    tasks = [task for task in assignment.tasks if any(ledger.of_task(task) for ledger in ledgers)]
    figures = [(stage.option, *figure) for stage in assignment.stages for figure in stage.figures.items()]
    yield [
        "student", "email", "score", "points", *(task.title for task in tasks), *(title for *_, title in figures),
        "status", "notes", "report",
    ]  # fmt: skip
    for row in rows:
        scores = {task.id: score for task, score, _ in row.ledger.task_scores} if row.score is not None else {}
        found = [row.ledger.stages[option].get(name) if row.ledger else None for option, name, _ in figures]
        yield [
            row.listed.name, row.listed.email, row.mark, row.ledger.points if row.ledger else "",
            *(scores.get(task.id, "") for task in tasks), *("" if figure is None else figure for figure in found),
            row.status, "; ".join(filter(None, [row.rejected, *row.notes])), row.report,
        ]  # fmt: skip


def canvas(rows, column):
    """https://community.canvaslms.com/t5/Instructor-Guide/How-do-I-import-grades-in-the-Gradebook/ta-p/807"""
    yield ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", column]
    yield ["Points Possible", "", "", "", "", max((row.ledger.points for row in rows if row.ledger), default="")]
    for row in rows:
        if row.score is not None and not row.is_contested:
            s = row.listed
            yield [s.name, s.canvas_id, s.sis_id, s.login, s.section, row.score]


def moodle(rows, column):
    """https://docs.moodle.org/en/Grade_import"""
    yield ["Email address", column, "Feedback"]
    for row in rows:
        if row.score is not None and row.listed.email and not row.is_contested:
            yield [row.listed.email, row.score, row.first]
