"""The instructor's commands: python -m autograder COMMAND."""

import argparse
import collections
import itertools
import unicodedata
from pathlib import Path

import autograder  # noqa: F401  first: it makes base_code importable

from cli import UserError, run_command  # isort: skip
from outputs import owned_folder  # isort: skip

from autograder import assignments, options  # isort: skip
from autograder.grading.version import package_version  # isort: skip

# What a command needs is imported when it runs: torch alone takes seconds.


def run_grade(arguments):
    from autograder.grading.submission import Submission, keep_forkserver, start_sandbox

    failed, modes = False, options.modes(arguments)
    folders = report_folders(arguments.files, arguments.report)
    for folder in [arguments.report, *folders] if arguments.report else []:  # before anything is graded
        owned_folder(folder, "grade", former=("results.json", "report.html"))
    chosen = [assignments.choose(arguments.assignment, path) for path in arguments.files]
    if any(assignment.running(modes) for assignment in chosen):
        from data import check_stored

        check_stored()
    for path, folder, assignment in zip(arguments.files, folders, chosen):
        submission = Submission.read(assignment, path)
        if len(chosen) > 1 or assignment.running(modes):  # more than one sandbox
            keep_forkserver(assignment)
        # It gets ready while this process imports torch.
        sandbox = None if submission.rejected else start_sandbox(assignment)
        from autograder.grading.grading import grade
        from autograder.reports.terminal import print_table

        how = {"modes": modes, "seed": arguments.seed, "folder": folder, "voice": arguments.feedback}
        ledger = grade(submission, sandbox, **how)
        print_table(ledger)
        if folder:
            print(f"reports: {folder / 'report.html'}, {folder / 'results.json'}")
        failed |= ledger.has_failed
    if failed:
        raise UserError("the grader itself failed (INFRA above), so a score is no mark; grade that file again")


def report_folders(files, folder):
    """Where the reports of each file go: into the folder, or into one below it for each of several files."""
    if folder is None or len(files) == 1:
        return [folder] * len(files)
    handed_out = [assignments.get(name).student_file.stem for name in assignments.NAMES]
    names = [path.stem if path.stem not in handed_out else path.resolve().parent.name for path in files]
    names = [name if name.strip(".") else handed_out[0] for name in names]  # no way out of the folder
    return [folder / name for name in told_apart(names)]


def told_apart(names):
    """The names, with a number where a file system would take one for another that comes before it.

    Some file systems ignore case, and in which form an accent is written.
    """
    seen, taken = set(), {same_name(name) for name in names}
    apart = []
    for name in names:
        if same_name(name) in seen:
            numbered = (f"{name}-{number}" for number in itertools.count(2))
            name = next(other for other in numbered if same_name(other) not in taken)
        seen.add(same_name(name))
        taken.add(same_name(name))
        apart.append(name)
    return apart


def same_name(name):
    """Equal for names that a file system may take for the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def run_class(arguments):
    from autograder.classroom.grade_class import Options, grade_class

    for name in ("jobs", "limit"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value}: expected 1 or more")
    assignment = assignments.choose(arguments.assignment)
    how = Options(assignment, options.modes(arguments), arguments.feedback, arguments.lowest_level)
    where = (arguments.jobs, arguments.scheduler, arguments.limit, arguments.roster, arguments.layout)
    rows = grade_class(arguments.submissions, arguments.out, how, *where)
    counts = collections.Counter(row.status for row in rows)
    print(f"{len(rows)} students: {', '.join(f'{n} {status}' for status, n in counts.most_common())}")
    print(f"{arguments.out / 'summary.html'}, and beside it grades.csv, canvas.csv, moodle.csv, students/")
    if counts["set aside"]:
        raise UserError(f"{counts['set aside']} set aside: no mark, the grader failed; run the same command again")


def run_sandbox(arguments):
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from autograder.sandbox.levels import LEVELS, enforced, obstacle

    obstacles = {level: obstacle(level) for level in LEVELS}
    best = next(level for level in LEVELS if not obstacles[level])
    table = Table(title=f"{LEVELS[best]}: what a submission gets here", box=box.SIMPLE, show_header=False)
    for row in enforced(best).items():
        table.add_row(*row)
    Console(highlight=False).print(table)
    for level, reason in obstacles.items():
        print(f"{LEVELS[level]}: {reason or 'works here'}")


def run_gradescope(arguments):
    from autograder.gradescope.build import build

    assignment = assignments.choose(arguments.assignment)
    print(f"wrote {build(assignment, arguments.out or Path('dist', f'{assignment.name}-gradescope.zip'))}")


def run_release(arguments):
    from autograder.authoring import release

    only = assignments.get(arguments.assignment) if arguments.assignment else None
    if arguments.check:
        release.check(only)
        print("the students' files and the notebooks are what solutions/ makes of them")
    else:
        wrote, kept = release.release(only)
        print("wrote", ", ".join(str(path.relative_to(release.ROOT)) for path in wrote))
        if kept:
            print("what lay there is kept:", ", ".join(str(path.relative_to(release.ROOT)) for path in kept))


def run_reference(arguments):
    part = assignments.choose().part("figures")
    part.measure_reference(arguments.work)
    print(f"wrote {part.REFERENCE.relative_to(part.ROOT)} and README's table")


def run_table(arguments):
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    del given["run"]
    assignments.get("hierarchical").part("figures").measure_table(**given)


def run_demo(arguments):
    assignments.choose().part("demo").demo(arguments.out)


def main():
    parser = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    parser.add_argument("--version", action="version", version=package_version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("grade", help="grade files; the exit status is 0 whatever the score")
    command.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a student's file")
    options.add_grading_options(command.add_argument)
    options.add_single_options(command.add_argument)
    command.set_defaults(run=run_grade)

    command = commands.add_parser(
        "class", help="grade a class: a mark and a report for everyone, tables for gradebooks, a summary",
        description="Grade a class. Stopped or killed, the same command goes on where it was."
    )  # fmt: skip
    command.add_argument(
        "submissions", type=Path, metavar="SUBMISSIONS",
        help="a folder or a zip: one folder per student with the file to grade, such as model.py, nbgrader's "
        "submitted/, or a download of Moodle, Canvas or Gradescope"
    )  # fmt: skip
    command.add_argument(
        "--layout", metavar="NAME",
        help="what SUBMISSIONS is, where that is not clear: folders-N (a folder for each student, N levels down), "
        "moodle, canvas or gradescope"
    )  # fmt: skip
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR",
        help="results, kept between runs: a new or an empty folder, or its own"
    )  # fmt: skip
    options.add_grading_options(command.add_argument)
    place = command.add_mutually_exclusive_group()
    place.add_argument("--jobs", type=int, metavar="N", help="processes on this machine (default: one for each core)")
    place.add_argument("--scheduler", metavar="tcp://HOST:8786", help="a dask scheduler, whose workers have the kit")
    command.add_argument("--limit", type=int, metavar="N", help="grade at most N more files now")
    command.add_argument(
        "--roster", type=Path, metavar="FILE",
        help="a CSV with names, ids and email addresses: an export of Canvas' gradebook, Moodle's grading worksheet"
    )  # fmt: skip
    command.add_argument(
        "--lowest-level", type=int, choices=(0, 1, 2, 3), default=2,
        help="grade only where the sandbox has this level or a better one (default: 2)"
    )  # fmt: skip
    command.set_defaults(run=run_class)

    command = commands.add_parser("sandbox", help="show what the sandbox enforces on this machine")
    command.set_defaults(run=run_sandbox)

    command = commands.add_parser("gradescope", help="build the zip that Gradescope wants as its autograder")
    options.add_assignment_option(command.add_argument, assignments.DEFAULT)
    command.add_argument("--out", type=Path, metavar="FILE", help="(default: dist/NAME-gradescope.zip)")
    command.set_defaults(run=run_gradescope)

    command = commands.add_parser("release", help="make the students' files from solutions/")
    options.add_assignment_option(command.add_argument, "all of them, and the zip for students")
    command.add_argument("--check", action="store_true", help="change nothing; fail if the files are not up to date")
    command.set_defaults(run=run_release)

    command = commands.add_parser("reference", help="train the reference and write solutions/reference.json (an hour)")
    command.add_argument("--work", type=Path, default=Path("runs/reference"), help="folder for its runs")
    command.set_defaults(run=run_reference)

    command = commands.add_parser(
        "table", help="train every row of the paper's table, measure it, and write the table (four hours on two cores)",
        description="Train every row of the paper's table. Stopped or killed, the same command goes on where it was."
    )  # fmt: skip
    command.add_argument("--work", type=Path, default=Path("runs/table"), help="folder for its runs and the table")
    command.add_argument("--only", nargs="+", metavar="NAME", help="these runs, such as *-k5 (default: all)")
    command.add_argument("--workers", type=int, metavar="N", help="processes side by side (default: one for each core)")
    command.add_argument("--minutes", type=float, metavar="N", help="stop after so long; what was done is kept")
    command.add_argument("--device", choices=("cpu", "cuda"), help="where to compute (default: cpu)")
    command.add_argument("--compile", choices=("auto", "on", "off"), help="as of train.py (default: on with cuda)")
    command.add_argument("--preset", choices=("paper", "paper-short"), help="the schedule (default: paper-short)")
    command.add_argument("--epochs", type=int, metavar="N", help="of training (default: the preset's)")
    command.add_argument("--k", type=int, metavar="N", help="samples per image for the test NLL (default: 5000)")
    command.add_argument("--images", type=int, metavar="N", help="test images, from the first on (default: all)")
    command.add_argument("--data", choices=("mnist", "digits"), help="dataset (default: mnist where it can be had)")
    command.add_argument("--seed", type=int, help="of the weights, the order of the images and the noise (default: 0)")
    command.set_defaults(run=run_table)

    command = commands.add_parser("demo", help="train autoencoder, VAE and IWAE for a few epochs and compare them")
    command.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for its runs and the picture")
    command.set_defaults(run=run_demo)

    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    run_command(main)
