"""A class: what instructors download, what gradebooks take, a kill in the middle, several workers, set aside."""

import contextlib
import csv
import io
import json
import re
import signal
import socket
import threading
import time
import unicodedata

import psutil
import pytest

from autograder.__main__ import report_folders
from autograder.assignments.iwae.misconceptions import MISCONCEPTIONS
from autograder.classroom import distribution, gradebooks
from autograder.classroom import grade_class as classroom
from autograder.classroom import workers as judges
from autograder.classroom.collect import Student
from autograder.grading.submission import MAX_SOURCE, Submission
from autograder.reports.results import read_results
from cli import UserError
from data import MNIST_FILES
from helpers import classes, submissions
from helpers.commands import ROOT, finish, start
from helpers.hostile import BANK
from helpers.submissions import IWAE

# Gradebooks -----------------------------------------------------------------------------------------------

EVIL = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    'O\'Hara, "Dee"',
    "Ünï çödé",
    "名前",
    "two\nlines",
    "＝1",
    "\ufeff=1",
    "\u200b\u2066=1",
    "\0\x1f=1",
    "\u3164=1",
    "﹦1",
    "−1+1",
    "x;=1",
    'x";=1;"y',
    "x\t=1",
    "x, @SUM(A1)",
    "x|=1",
    "'=1",
    "Li\r=1",
]
HARMLESS = ['O\'Hara, Dee "D"', "Ünï çödé", "名前", "Anne-Marie St. Clair", "علی\u200cرضا", "a.b+tag@example.edu"]


def row(student, score, path=None):
    return gradebooks.Row(student, "key", "", [], path, read_results(classes.results(score), IWAE), "=evil()")


def read_csv(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))


@pytest.fixture
def stored(tmp_path):
    """A folder as the store has it, for rows that are made by hand."""
    return classes.in_folder(tmp_path / "stored", {"results.json": b"{}", "report.html": b""})


def test_every_csv_parses_back_to_the_marks_and_holds_no_formula(tmp_path, stored):
    students = [
        Student(name, email=f"{n}@example.edu", canvas_id=str(n), sis_id=name, login=name)
        for n, name in enumerate(EVIL)
    ]
    gradebooks.write(tmp_path, [row(s, n, path=stored) for n, s in enumerate(students)], IWAE, "IWAE (12345)")
    header, points, *lines = read_csv_lines(tmp_path / "canvas.csv")
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "IWAE (12345)"]
    assert points == ["Points Possible", "", "", "", "", "80"]
    assert [(line[1], line[5]) for line in lines] == [(str(n), str(n)) for n in range(len(EVIL))]
    found = read_csv(tmp_path / "moodle.csv")
    assert [(line["Email address"], line["IWAE"]) for line in found] == [(s.email, s.canvas_id) for s in students]
    found = read_csv(tmp_path / "grades.csv")
    assert [line["score"] for line in found] == [s.canvas_id for s in students]
    assert all(line["student"] for line in found)
    for name in ("canvas.csv", "moodle.csv", "grades.csv"):
        for cells in read_csv_lines(tmp_path / name):
            assert not any(re.match(r"\s*[=+@\-\t\r＝＋－＠]", cell) for cell in cells), cells


@pytest.mark.parametrize("write", [gradebooks.write_csv, None], ids=["nbgrader", "class"])
def test_no_csv_has_a_formula_or_another_column_wherever_it_is_split(tmp_path, stored, write):
    students = [Student(name, email=name, sis_id=name, login=name, section=name) for name in EVIL]
    if write:
        write(tmp_path / "grades.csv", [[name, 1.0, name] for name in EVIL])
    else:
        gradebooks.write(tmp_path, [row(s, 1, path=stored) for s in students], IWAE)
    for path in tmp_path.glob("*.csv"):
        text = path.read_text(encoding="utf-8-sig")
        for delimiter in ",;\t|":
            for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
                for cells in csv.reader(io.StringIO(text), delimiter=delimiter, quoting=quoting):
                    assert len(cells) == 1 or delimiter in ",|"
                    seen = [re.sub(r"^[^\w=+@−＝＋－＠﹦\-']*", "", c.replace("\u3164", "").lstrip('"')) for c in cells]
                    assert not [c for c in seen if re.match(r"[=+@\-−＝＋－＠﹦]", c)], cells


def test_a_harmless_name_stays_as_it_is(tmp_path, stored):
    students = [Student(name, email=f"{n}@x.edu", canvas_id=str(n), sis_id=name) for n, name in enumerate(HARMLESS)]
    gradebooks.write(tmp_path, [row(s, n, path=stored) for n, s in enumerate(students)], IWAE)
    assert [line["student"] for line in read_csv(tmp_path / "grades.csv")] == HARMLESS
    assert [(line["Student"], line["SIS User ID"]) for line in read_csv(tmp_path / "canvas.csv")[1:]] == [
        (name, name) for name in HARMLESS
    ]
    assert [line["Email address"] for line in read_csv(tmp_path / "moodle.csv")] == [s.email for s in students]


def read_csv_lines(path):
    return list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))


def test_students_folders_stay_inside_and_apart(tmp_path, stored):
    names = ["../../etc", "a/b", "a_b", "a:b", ".hidden", "x" * 300, "Ünï", "CON", ""]
    gradebooks.write(tmp_path, [row(Student(name), 1, path=stored) for name in names], IWAE)
    folders = list((tmp_path / "students").iterdir())
    assert len(folders) == len(names)
    assert all((folder / "report.html").is_file() for folder in folders)


def test_no_two_students_share_a_folder_on_any_file_system():
    same = ["ana", "Ana", "ANA", "josé", "jose\u0301", "JOSÉ", "ﬁn", "fin", "straße", "strasse", "a b", "a_b", "A b"]
    same.append(Student("a b").folder)  # who calls himself what another's folder is called
    folders = {unicodedata.normalize("NFKC", Student(name).folder).casefold() for name in same}
    assert len(folders) == len(same)
    assert Student("ana").folder == "ana" and Student("silvaana", canvas_id="100").folder == "silvaana_100"


def test_no_two_files_share_a_report_folder(tmp_path):
    for names in (["s", "s-2", "s"], ["s", "s", "s-2"], ["s-2", "s", "s"], ["S", "s", "s-2"], ["é", "e\u0301"]):
        files = [tmp_path / str(n) / f"{name}.py" for n, name in enumerate(names)]
        folders = report_folders(files, tmp_path)
        assert len({unicodedata.normalize("NFC", folder.name).casefold() for folder in folders}) == len(names)
        first = {name: folder.name for name, folder in reversed(list(zip(names, folders)))}
        assert all(name == folder for name, folder in first.items() if name in ("s-2", "é"))
    assert report_folders([tmp_path / "..", tmp_path / "a.py"], tmp_path)[0] == tmp_path / "model"


ROSTERS = {
    "canvas": ("Student,ID,SIS User ID,SIS Login ID,Section,Lab (1),IWAE again (77)\n"
               "    Points Possible,,,,,10,80\n\"Silva, Ana\",100,s1,ana,A,,\n\"Li, Bo\",101,s2,bo,B,,\n"),
    "moodle": ("Identifier,Full name,Email address,Grade\n"
               "Participant 1000,Ana Silva,ana@x.edu,\nParticipant 1001,Bo Li,bo@x.edu,\n"),
    "one's own": "First name;Surname;Username;Email\nAna;Silva;ana;ana@x.edu\nBo;Li;bo;bo@x.edu\n",
}  # fmt: skip


@pytest.mark.parametrize("form", ROSTERS)
@pytest.mark.parametrize(
    "students",
    [
        [Student("silvaana", canvas_id="100"), Student("libo", canvas_id="101")],
        [Student("Ana Silva", moodle_id="1000"), Student("Bo Li", moodle_id="1001")],
        [Student("Ana SILVA"), Student("Li, Bo")],
    ],
    ids=["canvas", "moodle", "names"],
)
def test_a_roster_maps_students(tmp_path, stored, form, students):
    (tmp_path / "roster.csv").write_text(ROSTERS[form], encoding="utf-8-sig")
    roster = gradebooks.read_roster(tmp_path / "roster.csv", "IWAE")
    rows = [row(s, n, path=stored) for n, s in enumerate(students)]
    assert gradebooks.match(rows, roster) == []
    for found, login in zip(rows, ("ana", "bo")):
        assert login in (found.listed.login, found.listed.email.partition("@")[0])
    assert roster.column == ("IWAE again (77)" if form == "canvas" else None)


def test_who_is_not_in_the_roster_is_listed(tmp_path, stored):
    (tmp_path / "roster.csv").write_text("Name,Email\nAna Silva,a@x.edu\nAna Silva,b@x.edu\nBo Li,c@x.edu\n")
    rows = [row(Student(name), 1, path=stored) for name in ("Ana Silva", "Cy Young")]
    problems = gradebooks.match(rows, gradebooks.read_roster(tmp_path / "roster.csv", "IWAE"))
    assert "Ana Silva: several in the roster" in problems and "Cy Young: not in the roster" in problems
    assert "Bo Li: in the roster, nothing handed in" in problems


TWICE = {
    "in two sections": 'Name,SIS User ID,Section\nAna Silva,s1,A\n"Silva, Ana",S1,B\nBo Li,s2,A\n',
    "word for word": "Name,Email\nAna Silva,ana@x.edu\nAna Silva,ana@x.edu\nBo Li,bo@x.edu\n",
    "with more the second time": "Name,Email,ID\nAna M. Silva,ana@x.edu,\nAna Silva,ana@x.edu,7\nBo Li,bo@x.edu,8\n",
    "doubled quotes": 'Name,Email\n"Silva, Ana ""Annie""",ana@x.edu\nBo Li,bo@x.edu\n',
    "doubled quotes, semicolons": '"Name";"Email"\n"Ana ""Annie"" Silva";"ana@x.edu"\n"Bo Li";"bo@x.edu"\n',
    "Excel's first line": "sep=;\nName;Email\nAna Silva;ana@x.edu\nBo Li;bo@x.edu\n",
    "tabs": "Name\tEmail\nAna Silva\tana@x.edu\nBo Li\tbo@x.edu\n",
    "one column": "Username\nana\nbo\n",
    "one column in quotes": '"Full name"\n"Silva, Ana"\n"Li, Bo"\n',
}


@pytest.mark.parametrize("form", TWICE)
def test_a_roster_has_each_student_once(tmp_path, stored, form):
    (tmp_path / "roster.csv").write_text(TWICE[form])
    ana = "Ana Annie Silva" if "Annie" in TWICE[form] else "Ana Silva"
    rows = [row(Student(name, login=login), 1, path=stored) for name, login in ((ana, "ana"), ("Bo Li", "bo"))]
    assert gradebooks.match(rows, gradebooks.read_roster(tmp_path / "roster.csv", "IWAE")) == []
    if form == "with more the second time":
        assert (rows[0].listed.email, rows[0].listed.canvas_id) == ("ana@x.edu", "7")


@pytest.mark.parametrize(
    "lines", ["Ana Silva,s1,1\nBo Li,s1,2", "Ana Silva,s1,1\nAna Silva,s1,2", "Ana Silva,,\nAna Silva,,"]
)
def test_two_students_of_a_roster_stay_two(tmp_path, lines):
    (tmp_path / "roster.csv").write_text(f"Name,SIS User ID,ID\n{lines}\n")
    assert len(gradebooks.read_roster(tmp_path / "roster.csv", "IWAE").students) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "none of the columns .* found nothing"),
        (b"Matrikel\n17\n", "none of the columns .* found Matrikel"),
        ("Name\nJosé\n".encode("latin-1"), "not in UTF-8"),
        ("Name\nJosé\n".encode("utf-16"), "not in UTF-8"),
        (b'Name,Email\n"Ana,a@x.edu\nBo,b@x.edu\n', "no CSV file: unexpected end of data"),
    ],
)
def test_a_roster_that_cannot_be_used_is_an_error_in_a_line(tmp_path, content, says):
    (tmp_path / "roster.csv").write_bytes(content)
    with pytest.raises(UserError, match=says) as error:
        gradebooks.read_roster(tmp_path / "roster.csv", "IWAE")
    assert len(str(error.value).splitlines()) == 1


def test_two_who_hand_in_as_one_student_are_in_no_gradebook(tmp_path, stored):
    (tmp_path / "roster.csv").write_text("Name,Email\nAna Silva,a@x.edu\nBo Li,b@x.edu\n")
    rows = [row(Student(name), 1, path=stored) for name in ("Ana Silva", "Silva, Ana", "Bo Li")]
    (problem,) = gradebooks.match(rows, gradebooks.read_roster(tmp_path / "roster.csv", "IWAE"))
    assert "Ana Silva: several hand-ins" in problem
    gradebooks.write(tmp_path, rows, IWAE)
    assert [line["Email address"] for line in read_csv(tmp_path / "moodle.csv")] == ["b@x.edu"]
    assert [line["Student"] for line in read_csv(tmp_path / "canvas.csv")] == ["Points Possible", "Bo Li"]
    assert len(read_csv(tmp_path / "grades.csv")) == 3


# Grading --------------------------------------------------------------------------------------------------


def make_class(n):
    """{student: source}: right, wrong, hostile, unreadable, and some that are the same."""
    hostile = [h for h in BANK if h.name in ("exits at import", "segmentation fault", "endless loop", "200 forks")]
    made = {}
    for i in range(n):
        number = i // 5
        bad, entry = hostile[number % len(hostile)], MISCONCEPTIONS[7 * number % len(MISCONCEPTIONS)]
        kind, source = [
            ("right", submissions.submission(f"# {number}").source),
            ("wrong", submissions.wrong(entry).source),
            ("hostile", submissions.submission(bad.text, bad.base).source),
            ("unreadable", [None, b"", bytes(MAX_SOURCE + 1), "é".encode("utf-16")][number % 4]),
            ("same", submissions.submission("# the same").source),
        ][i % 5]
        made[f"{kind} {chr(97 + number)}"] = source
    return made


@pytest.fixture(scope="module")
def cluster():
    """dask's scheduler and two workers, started by hand as the README says: (address, workers)."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    quiet = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    scheduler = start("-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2],
                      "--no-dashboard", **quiet)  # fmt: skip
    silence(scheduler)
    workers = [start_worker(address) for _ in range(2)]
    yield address, workers
    for process in (*workers, scheduler):
        process.terminate()
        process.wait(30)


def start_worker(address):
    worker = start("-m", "dask", "worker", address, "--nthreads", 1, "--no-dashboard")
    silence(worker)
    return worker


def silence(process):
    """Read what it says, so that it never waits for a reader."""
    for stream in (process.stdout, process.stderr):
        threading.Thread(target=stream.read, daemon=True).start()


def command(path, out, *arguments):
    return ("-m", "autograder", "class", path, "--out", out, "--nll", "off", "--lowest-level", 1, *arguments)


def all_of(rows):
    """What rows hold, comparable: an exception, as Lost, equals nothing but itself."""

    def plain(result):
        return vars(result) | {"lost": result.lost and vars(result.lost)}

    ledgers = [vars(row.ledger) | {"results": [*map(plain, row.ledger.results.values())]} for row in rows]
    return [vars(row) | {"ledger": ledger} for row, ledger in zip(rows, ledgers)]


def stored_results(out):
    return {path.parent.name: path.read_bytes() for path in out.glob("graded/*/results.json")}


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def descendants(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def is_alive(child):
    try:
        return child.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descendants_with(words, process):
    """Those whose command line has the words; some end while they are looked at."""
    found = []
    for child in descendants(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            if words in " ".join(child.cmdline()):
                found.append(child)
    return found


def dask_workers(process):
    return descendants_with("spawn_main", process)


def check_class(out, students, grade_in):
    """Complete, and the marks those of single grading."""
    readable = {s for s in students.values() if s and len(s) <= MAX_SOURCE and b"\0" not in s}
    marks = {source: grade_in(Submission(IWAE, ROOT / "model.py", source)).score for source in readable}
    lines = {letters(line["student"]): line for line in read_csv(out / "grades.csv")}
    assert {name: int(line["score"]) for name, line in lines.items()} == {
        letters(name): marks.get(source, 0) for name, source in students.items()
    }
    assert {name for name, line in lines.items() if line["status"] == "rejected"} == {
        letters(name) for name, source in students.items() if source not in readable
    }
    hashes = [json.loads(results)["extra_data"]["submission_sha256"] for results in stored_results(out).values()]
    graded = [sha256 for sha256 in hashes if sha256 != Submission(IWAE, ROOT, b"").sha256]
    assert sorted(graded) == sorted(Submission(IWAE, ROOT, source).sha256 for source in readable), "each file once"
    assert len(list((out / "students").iterdir())) == len(students)


def letters(name):
    return re.sub(r"[^a-z]", "", name.lower())


def survive(path, out, *arguments, workers):
    """Run the command; kill it in the middle, run it again, kill a worker in the middle. Returns how it ended.

    workers: a function of the command's process that gives the processes of its workers.
    """
    first = start(*command(path, out, *arguments))
    wait_for(lambda: stored_results(out))
    started = descendants(first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    kept = stored_results(out)
    assert kept
    wait_for(lambda: not any(map(is_alive, started)))
    second = start(*command(path, out, *arguments))
    wait_for(lambda: len(stored_results(out)) > len(kept))
    worker, *_ = workers(second)
    worker.kill()
    ended = finish(second)
    after = stored_results(out)
    assert kept.items() <= after.items(), "a stored result was graded again"
    return ended


def layouts(request):
    """(students of each, names): five layouts where the class is large, one for a quick look."""
    size = request.config.option.class_size
    return (size // 5, list(classes.LAYOUTS)) if size >= 25 else (size, ["moodle"])


@pytest.mark.slow
def test_a_killed_command_and_a_killed_worker_lose_nothing(request, tmp_path, grade_in):
    size, names = layouts(request)
    students = make_class(size)
    for layout in names:
        path, out = tmp_path / f"{layout}.zip", tmp_path / layout
        path.write_bytes(classes.zipped(classes.LAYOUTS[layout](students)))
        ended = survive(path, out, "--jobs", 2, workers=dask_workers)
        assert ended.status == 0 and "Traceback" not in ended.err, ended.err
        check_class(out, students, grade_in)


@pytest.mark.slow
def test_the_same_with_a_scheduler_and_workers_started_by_hand(request, tmp_path, grade_in, cluster):
    size, names = layouts(request)
    students = make_class(size)
    address, workers = cluster
    for layout in names:
        path, out = classes.in_folder(tmp_path / layout, classes.LAYOUTS[layout](students)), tmp_path / f"{layout}-out"
        ended = survive(path, out, "--scheduler", address, workers=lambda _: workers)
        assert ended.status == 0 and "Traceback" not in ended.err, ended.err
        check_class(out, students, grade_in)
        workers[0] = start_worker(address)


@pytest.mark.slow
def test_what_kills_workers_or_judges_twice_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(judges, "judge", classes.fatal)
    students = {name: name.encode() for name in ("judge", "other", "worker", "xylophone")}
    path = classes.in_folder(tmp_path / "in", classes.plain(students))
    options = classroom.Options(IWAE, {"nll": "off"}, lowest_level=1)
    rows = {row.student.name: row for row in classroom.grade_class(path, tmp_path / "out", options, jobs=1)}
    assert {name: row.mark for name, row in rows.items()} == {"judge": "", "other": 5, "worker": "", "xylophone": 9}
    assert {name for name, row in rows.items() if row.status == "set aside"} == {"judge", "worker"}
    assert "worker died, 2 times" in rows["worker"].first
    summary = (tmp_path / "out" / "summary.html").read_text()
    assert summary.count("set aside</strong>") == 2
    links = re.findall(r"""(?:src|href)="([^"]*)""", summary)
    assert links and all(link.startswith(("data:", "students/")) for link in links) and "url(" not in summary
    assert [line["IWAE"] for line in read_csv(tmp_path / "out" / "canvas.csv")] == ["80", "5", "9"]
    store = classroom.Store(tmp_path / "out", options)
    assert sorted(store.is_done(row.key) for row in rows.values()) == [False, False, True, True]


@pytest.mark.slow
def test_a_limit_the_rest_and_two_commands_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(judges, "judge", classes.fatal)
    path, out = classes.in_folder(tmp_path / "in", classes.plain({n: n.encode() for n in "abc"})), tmp_path / "out"
    options = classroom.Options(IWAE, {"nll": "off"}, lowest_level=1)
    rows = classroom.grade_class(path, out, options, jobs=1, limit=2)
    assert sorted(row.status for row in rows) == ["graded", "graded", "not graded yet"]
    before = stored_results(out)
    rows = classroom.grade_class(path, out, options, jobs=1)
    assert {row.status for row in rows} == {"graded"}
    assert before.items() < stored_results(out).items(), "graded again"
    monkeypatch.setattr(distribution, "connected", None)  # nothing is missing: no cluster is started
    assert all_of(classroom.grade_class(path, out, options)) == all_of(rows)
    with classroom.locked(out), pytest.raises(UserError, match="another command"):
        classroom.grade_class(path, out, options)


@pytest.mark.slow
def test_a_worker_with_another_kit_or_a_weaker_sandbox_does_not_grade():
    own = judges.Judges()
    try:
        version, level = own.hello["versions"]["iwae"], own.hello["level"]
        job = {"assignment": "iwae", "version": version, "lowest_level": level}
        own.check(job)
        with pytest.raises(judges.WrongWorker, match=f"{re.escape(version)}, this command 0.0"):
            own.check(job | {"version": "0.0"})
        with pytest.raises(judges.WrongWorker, match="--lowest-level"):
            own.check(job | {"lowest_level": level + 1})
    finally:
        own.close()
    assert not own.is_alive


def damaged_mnist(folder):
    return classes.in_folder(folder, {f"mnist/{name}": b"\x1f\x8b cut short" for name in MNIST_FILES})


@pytest.mark.slow
def test_damaged_data_is_found_where_it_is_before_a_student_is_graded(tmp_path, monkeypatch):
    monkeypatch.setenv("IWAE_DATA", str(damaged_mnist(tmp_path)))
    own = judges.Judges()
    job = {"assignment": "iwae", "name": "model.py", "rejected": "", "dataset": "auto", "voice": "student"}
    try:
        with pytest.raises(judges.WrongWorker, match=f"on {socket.gethostname()}, .*train-images.* is damaged"):
            own.judge(job | {"modes": {"nll": "short"}}, b"# a student")
        results, _ = own.judge(job | {"modes": {"nll": "off"}, "rejected": "no file"}, b"")
        assert json.loads(results)["score"] == 0
    finally:
        own.close()


@pytest.mark.slow
@pytest.mark.parametrize("command", [("autograder", "grade", "solutions/model.py"), ("pytest", "autograder/")])
def test_damaged_data_is_found_before_a_file_is_graded(tmp_path, command):
    ended = finish(start("-m", *command, "--nll", "short", IWAE_DATA=str(damaged_mnist(tmp_path))))
    assert ended.status != 0 and "points" not in ended.out
    (line,) = ended.err.strip().splitlines()
    assert "train-images-idx3-ubyte.gz is damaged" in line


def test_a_scheduler_that_is_not_there_is_an_error_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(distribution, "CONNECT_SECONDS", 1)
    path = classes.in_folder(tmp_path / "in", classes.plain({"a": b"a"}))
    with pytest.raises(UserError, match="no scheduler answers at tcp://127.0.0.1:1"):
        classroom.grade_class(
            path, tmp_path / "out", classroom.Options(IWAE, {"nll": "off"}), scheduler="tcp://127.0.0.1:1"
        )


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(tmp_path):
    path = classes.in_folder(tmp_path / "in", classes.plain(make_class(3)))
    process = start(*command(path, tmp_path / "out", "--jobs", 1))
    wait_for(lambda: descendants_with("autograder.classroom.workers", process))
    started = descendants(process)
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.status == 130
    assert "the same command goes on" in ended.err and "Traceback" not in ended.err, ended.err
    wait_for(lambda: not any(map(is_alive, started)))
