"""How a download is laid out: which student each of its files belongs to.

A reading is one answer, made by structure from all paths together: folders-N has a folder for each student N levels
down (so are nbgrader's submitted/, sections and clones), and Moodle, Canvas and Gradescope have names of their own. One
reading alone must fit; else a person chooses. What students name themselves, files and what lies in their folders,
never changes whose they are.
"""

import functools
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import PurePosixPath

from autograder import assignments
from cli import UserError

LEVELS = range(1, 6)  # of folders: a wrapped course/submitted/ has its students in the fourth
LAYOUTS = (*(f"folders-{level}" for level in LEVELS), "moodle", "canvas", "gradescope")
# Folders where a student's file is expected: those of the kit, and of nbgrader.
PLACES = ("base_code", "labs", *assignments.NAMES)
OLD = re.compile(r"(old|backups?|archive|trash|cop(y|ies)|previous|deprecated|runs|dist)([ _-].*)?", re.IGNORECASE)
PART = re.compile(  # folders of one student's work; nobody is called so
    r"assignments?|autograder|benchmarks|code|data|labs?|notebooks?|project|repo|slides|solutions?|src|submission|tests?|"
    r"work|new|final|(v|version|attempt|try)[ _-]?\d+",
    re.IGNORECASE,
)
WRAPPERS = ("class", "course", "students", "submissions", "submitted")  # folders around students
NBGRADER = ("autograded", "feedback", "release", "source")  # beside submitted/: not what was handed in
METADATA = "submission_metadata.yml"
MAX_METADATA = 256 * 2**20  # bytes: Gradescope's metadata repeat every report

# What a platform puts before the name of a student's file. Searched from the left: a student has only what follows.
MOODLE = re.compile(r"_(?P<id>\d+)_assignsubmission_file_?(?P<file>.*)", re.DOTALL)
CANVAS = re.compile(r"(_LATE)?_(?P<id>\d+)_(?P<attempt>\d+)_(?P<file>.+)", re.DOTALL)
RENUMBERED = re.compile(r"-\d+(?=\.\w+$)")  # Canvas' file-1.py is a file.py that was handed in again


def printable(text):
    """A stranger's file name in one line, for people."""
    return "".join(c if c.isprintable() else "�" for c in str(text))[:200]


@dataclass(frozen=True)
class Student:
    """Who handed in, as far as the download tells. The names of the fields are those of the gradebooks."""

    name: str
    email: str = ""
    login: str = ""
    sis_id: str = ""
    canvas_id: str = ""
    moodle_id: str = ""  # of the participant in one assignment
    section: str = ""

    @property
    def folder(self):
        """A name for a folder, the same in every run, whatever the student is called.

        Two students never share one, not even where a file system ignores case or in which form an accent is written.
        """
        unique = self.moodle_id or self.canvas_id or (self.sis_id or self.email if not self.login else "")
        full = f"{self.name}_{unique}" if unique else self.name
        safe = re.sub(r"[^\w.@+-]", "_", unicodedata.normalize("NFC", full)).lstrip(".-")[:60]
        is_plain = safe and safe == full == unicodedata.normalize("NFKC", full).casefold()
        if is_plain and not re.search(r"-[0-9a-f]{8}$", full):  # which would be another's name with its digest
            return safe
        return f"{safe}-{sha256(full.encode(errors='surrogatepass')).hexdigest()[:8]}"


@dataclass
class Reading:
    """Whose the files are, if this is the layout."""

    layout: str
    students: dict  # {Student: [File]}
    entries: set  # paths, as tuples, of all that belongs to a student
    fits: bool  # as far as this layout alone can tell
    doubts: bool = False  # whether a student looks like several
    wins: bool = False  # whether no folder can be read as a student's as well
    level: int = 0
    holding: int = 0  # how many folders of students hold something to grade
    odd: tuple = ()  # sentences on files that could be several students'

    def __str__(self):
        names = [student.name for student in self.students]
        shown = f"{', '.join(names[:4])}{', …' if len(names) > 4 else ''}"
        return printable(f"{self.layout} ({len(names)} student{'s' * (len(names) > 1)}: {shown})")

    def holds(self, path):
        """Whether a path belongs to a student."""
        return any(path.parts[:i] in self.entries for i in range(1, len(path.parts) + 1))

    def strays(self, files):
        """The paths that belong to nobody, each folder of them once."""
        above = {entry[:i] for entry in self.entries for i in range(len(entry))}
        paths = [file.path for file in files if not self.holds(file.path)]
        return {
            "/".join(path.parts[: 1 + sum(path.parts[:i] in above for i in range(1, len(path.parts)))])
            for path in paths
        }


def choose(files, folders, layout=None):
    """The one Reading that fits, or that of the layout; None where there is nothing. UserError where several fit."""
    if layout not in (None, *LAYOUTS):
        raise UserError(f"--layout {layout}: expected one of {', '.join(LAYOUTS)}")
    shape = Shape(files, folders)
    readings = [reading for reading in all_readings(shape, files, folders, layout) if reading.entries]
    if layout:
        return next((reading for reading in readings if reading.layout == layout), None)
    fitting = without_lesser([reading for reading in readings if reading.fits])
    if len(fitting) == 1 and not fitting[0].doubts:
        return fitting[0]
    if not readings:
        return None
    possible = [str(reading) for reading in (fitting if len(fitting) > 1 else readings)]
    if () in shape.places or shape.is_work(()):
        possible.insert(0, "the files of one student, to be graded with `python -m autograder grade`")
    raise UserError(f"it is not clear whose files these are: {', or '.join(possible)}; say which with --layout NAME")


def all_readings(shape, files, folders, layout=None):
    platforms = [
        read(shape, files, folders)
        for name, read in (("gradescope", gradescope), ("moodle", moodle), ("canvas", canvas))
        if layout in (None, name)
    ]
    return [*filter(None, platforms), *(in_folders(shape, files, folders, level) for level in LEVELS)]


def without_lesser(readings):
    """Without those that say nothing new: folders inside a platform's, or the one folder inside each student's."""
    platforms = [reading for reading in readings if not reading.layout.startswith("folders")]
    kept = []
    for reading in readings:
        is_lesser = reading not in platforms and (
            any(platform.wins or reading.level >= platform.level for platform in platforms)
            or any(reading.holding == other.holding > 2 for other in kept if other not in platforms)
        )
        if not is_lesser:
            kept.append(reading)
    return kept


class Shape:
    """Where in a download the hand-ins lie. Folders are tuples of names; only those with a hand-in below count."""

    def __init__(self, files, folders):
        parents = {folder.parent for folder in folders}
        found = {file.path.parent for file in files if file.is_candidate} or {f for f in folders if f not in parents}
        self.places = {place.parts for place in found if not self.is_nbgraders(place, folders)}
        self.works = self.places & {file.path.parent.parts for file in files if file.is_model}  # a zip may be anything
        self.inside = defaultdict(set)  # {folder: folders in it}
        for place in self.places:
            for i in range(len(place)):
                self.inside[place[:i]].add(place[: i + 1])
            self.inside[place] |= set()
        self.repeated = Counter((len(f), f[-1]) for inside in self.inside.values() for f in inside)
        self.is_class = functools.cache(self.is_class)  # else folders in folders are asked again and again

    @staticmethod
    def is_nbgraders(place, folders):
        return any(
            name in NBGRADER and PurePosixPath(*place.parts[:i], "submitted") in folders
            for i, name in enumerate(place.parts)
        )

    def is_part(self, folder):
        """Whether a folder must be a part of somebody's work: by its name, or as others have one of that name."""
        return is_part(folder[-1]) or self.repeated[len(folder), folder[-1]] > 1

    def owns(self, folder):
        """Whether a hand-in lies in a folder itself, or in a part of work right below."""
        return folder in self.works or any(self.is_part(f) and not self.is_class(f) for f in self.inside[folder])

    def spread(self, folder):
        """How many folders inside could be students', less one for a hand-in of the folder itself."""
        return sum(not self.is_part(f) or self.is_class(f) for f in self.inside[folder]) - self.owns(folder)

    def is_class(self, folder):
        """Whether a folder holds hand-ins side by side, as a class does and hardly ever one student."""
        return self.spread(folder) > 1

    def is_around(self, folder):
        """Whether a folder holds nothing but a class: itself, or in folders inside."""
        if self.is_class(folder):
            return True
        inside = self.inside[folder]
        return bool(inside) and not self.owns(folder) and all(f[-1] in WRAPPERS or self.is_around(f) for f in inside)

    def is_work(self, folder):
        """Whether a folder is one student's, as a hand-in lies there or in what is a part of work by its name."""
        is_sure = folder in self.works or folder in self.places and not self.inside[folder]
        has_work = is_sure or any(is_part(f[-1]) and not self.is_class(f) for f in self.inside[folder])
        return has_work and not self.is_class(folder) and not self.is_around(folder)

    def has_odd_zip(self, folder):
        """Whether a zip lies beside folders of hand-ins: it may be one too, or anything."""
        has_zip = folder in self.places and folder not in self.works and bool(self.inside[folder])
        return has_zip and not self.is_class(folder) and not self.is_around(folder)

    def is_in_part(self, folder):
        """Whether a folder is, or lies in, a part of work by its name."""
        return any(is_part(folder[i - 1]) and not self.is_class(folder[:i]) for i in range(1, len(folder) + 1))


def is_part(name):
    return bool(name in PLACES or PART.fullmatch(name) or OLD.fullmatch(name))


# Folders of students --------------------------------------------------------------------------------------


def in_folders(shape, files, folders, level):
    """The Reading with a folder for each student at a level, 1 for the topmost."""
    at_level = {place[:level] for place in shape.places if len(place) >= level}
    parents = {f[:-1] for f in at_level if not is_part(f[-1]) and not shape.is_in_part(f[:-1])}
    entries = {f.parts for f in folders if f.parts[:-1] in parents and len(f.parts) == level and not is_part(f.name)}
    students = {entry: Student(entry[-1], login=entry[-1]) for entry in sorted(entries)}
    found = {student: [] for student in students.values()}
    for file in files:
        if (entry := file.path.parts[:level]) in entries:
            found[students[entry]].append(below(file, level))
    holding = entries & at_level
    above = {place[:i] for place in shape.places for i in range(min(level, len(place) + 1))}
    fits = (
        not all(shape.is_around(entry) for entry in holding)
        and not any(entry[-1] in WRAPPERS for entry in holding)
        and not any(split(MOODLE, entry[-1]) for entry in entries)
        and not any(shape.is_work(folder) and not shape.is_in_part(folder) for folder in above)
        and 2 * sum(shape.repeated[level, entry[-1]] > 1 for entry in holding) <= len(holding)
    )
    crowds = [spread for entry in holding if (spread := shape.spread(entry)) > 2]
    doubts = bool(crowds) and sum(crowds) >= len(holding) - len(crowds) or any(map(shape.has_odd_zip, above))
    return Reading(f"folders-{level}", found, entries, fits, doubts, level=level, holding=len(holding))


def below(file, level):
    return replace(file, path=PurePosixPath(*file.path.parts[level:]))


# Platforms ------------------------------------------------------------------------------------------------


def moodle(shape, files, folders):
    """Folders or files NAME_ID_assignsubmission_file_…; Moodle takes underscores out of names."""
    paths = {file.path.parts for file in files} | {folder.parts for folder in folders}
    return by_prefix(MOODLE, CANVAS, shape, files, paths)


def canvas(shape, files, _):
    """Files NAME_[LATE_]ID_ATTEMPT_…; Canvas takes what looks like the rest out of names."""
    return by_prefix(CANVAS, MOODLE, shape, files, {file.path.parts for file in files})


def by_prefix(pattern, other, shape, files, paths):
    """The Reading of a platform that puts a name and an id before what was handed in."""
    matching = {parts for parts in paths if split(pattern, parts[-1])}
    level = min((len(parts) for parts in matching), default=0)
    entries = {parts for parts in matching if len(parts) == level}
    parents = {entry[:-1] for entry in entries}
    wins = level == 1 or all(is_download(parent, entries, pattern, paths) for parent in parents)
    flat = [file for file in files if file.path.parts in entries]
    unclear = {file.path.parts for file in flat if is_ambiguous(pattern, file)}
    students, odd = identified(pattern, entries - unclear)
    odd += [f"{'/'.join(entry)}: its name could be that of two students' files" for entry in unclear]
    if pattern is MOODLE:  # it makes folders, and a person may have put the folder of one more student beside them
        students |= {f: Student(f[-1], login=f[-1]) for f in plain_beside(shape, parents, level) - entries}
    found = {student: [] for student in students.values() if student}
    for file in files:
        if student := students.get(file.path.parts[:level]):
            is_flat = len(file.path.parts) == level
            found[student].append(uploaded(file, pattern) if is_flat else below(file, level))
    ids = {split(pattern, entry[-1])["id"] for entry in unclear}
    for student in list(found):  # no mark for want of a file that a person may yet give to its owner
        if (student.moodle_id or student.canvas_id) in ids and not any(file.is_candidate for file in found[student]):
            del found[student]
    owned = entries | set(students)
    fits = all(place[:level] in owned or is_beside(place, parents) for place in shape.places) and not any(
        len(parts) == level and parts[:-1] in parents and parts not in entries and split(other, parts[-1])
        for parts in paths  # by another platform's names: then ours are what a student called a file
    )
    layout = "moodle" if pattern is MOODLE else "canvas"
    return Reading(layout, found, owned, fits, wins=wins, level=level, odd=odd)


def split(pattern, name):
    """The match of what a platform put between a student's name and a file's; None without a name before it."""
    return pattern.search(name, 1)


def identified(pattern, entries):
    """{entry: Student}, and sentences on ids that have several names. Whose those are cannot be told: None."""
    by_id, students, odd = defaultdict(dict), {}, []
    for entry in sorted(entries):
        match = split(pattern, entry[-1])
        by_id[match["id"]][entry] = entry[-1][: match.start()]
    for number, names in by_id.items():
        student = None
        if len({name.casefold() for name in names.values()}) == 1:
            student = Student(min(names.values()), **{"moodle_id" if pattern is MOODLE else "canvas_id": number})
        else:
            odd.append(f"{', '.join(sorted(set(names.values())))}: one id, {number}, with several names")
        students |= dict.fromkeys(names, student)
    return students, odd


def plain_beside(shape, parents, level):
    """The folders of hand-ins beside those of a platform that nothing speaks against."""
    return {
        place[:level]
        for place in shape.places
        if len(place) >= level
        and place[: level - 1] in parents
        and not is_part(place[level - 1])
        and not shape.is_around(place[:level])
        and not any(split(MOODLE, name) for name in place[level:])
    }


def is_ambiguous(pattern, file):
    """Whether the name of a file reads as another student's too: somebody tries, or a name ends in a number."""
    later = match = split(pattern, file.name)
    while later := pattern.search(file.name, later.start("id")):
        if later.start() == match.end("id") or replace(file, called=later["file"]).is_model:
            return True
    return False


def uploaded(file, pattern):
    """A File whose name holds the platform's prefix, as the student named it, in the attempt that Canvas counts."""
    match = split(pattern, file.name)
    if pattern is MOODLE:
        return replace(file, path=PurePosixPath(match["file"]))
    called = RENUMBERED.sub("", match["file"])
    return replace(file, path=PurePosixPath(file.name), called=called, attempt=int(match["attempt"]))


def is_beside(place, parents):
    """Whether a hand-in lies beside those of a platform, or above, as a stray file or a part of the kit does."""
    above = {parent[:i] for parent in parents for i in range(len(parent) + 1)}
    return place in above or any(place[:i] in above and is_part(name) for i, name in enumerate(place))


def is_download(parent, entries, pattern, paths):
    """Whether a folder of a platform's names is a download, and not the work of a student who uses such a name."""
    own = {entry for entry in entries if entry[:-1] == parent}
    has_folders = any(path[:-1] in own for path in paths)
    return has_folders or len({split(pattern, entry[-1])["id"] for entry in own}) > 1


def gradescope(shape, files, folders):
    """The Reading of Gradescope's export: the files of each submitter, the members of a group included."""
    exports = [file for file in files if file.path.name == METADATA]
    metadata = min(exports, key=lambda file: len(file.path.parts), default=None)
    base = metadata.path.parent if metadata else None
    if not metadata or any(place[: len(base.parts)] != base.parts[: len(place)] for place in shape.places):
        return None  # or what a student called a file
    submissions, found, level = read_metadata(metadata), {}, len(base.parts) + 1
    inside = defaultdict(list)
    for file in files:
        if len(file.path.parts) > level:
            inside[file.path.parts[level - 1]].append(below(file, level))
    for name, (submitters, created) in submissions.items():
        for student in submitters or [Student(name)]:
            student, handed_in = found.setdefault(student.email.casefold() or student.sis_id or student, (student, []))
            handed_in += [replace(file, attempt=created or "0") for file in inside[name]]
    entries = {(*base.parts, name) for name in submissions} | {metadata.path.parts}
    wins = level == 1 or any(inside[name] for name in submissions)
    return Reading("gradescope", dict(found.values()), entries, fits=True, wins=wins, level=level)


def read_metadata(file):
    """{submission: ([Student], when it was made)}"""
    import yaml  # only here: grading on Gradescope itself goes without

    from autograder.grading.submission import Rejected

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        described = yaml.load(file.read(MAX_METADATA), loader)
        return {
            str(name): ([entry_student(s) for s in entry.get(":submitters") or []], str(entry.get(":created_at", "")))
            for name, entry in described.items()
        }
    except (Rejected, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise UserError(f"{METADATA} cannot be read: {why}; export the submissions again") from None


def entry_student(entry):
    email, sis_id = (str(entry.get(key) or "").strip() for key in (":email", ":sid"))
    name = unicodedata.normalize("NFC", str(entry.get(":name") or email or sis_id))
    return Student(name, email=email, sis_id=sis_id)
