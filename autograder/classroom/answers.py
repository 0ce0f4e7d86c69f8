"""What a student wrote in a notebook, put under the questions of the released one: no text is lost, none is run."""

import base64
import json
import re
from dataclasses import dataclass
from functools import cached_property

from nbgrader.utils import is_solution

from autograder.grading.submission import Rejected

MAX_CELLS = 2000
MAX_PICTURE = 5 * 2**20  # characters of base64
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")  # no SVG: it can hold scripts
INLINE = re.compile(rf"data:({'|'.join(PICTURES)});base64,([\w+/=]+)")  # as Colab pastes them into the text
ELSEWHERE = "\n\n---\n\n*Found in another cell:*\n\n"
LEFT_OPEN = "\n\n*Nothing is written here, yet a person decides: {}.*"


@dataclass
class Cell:
    """A cell as it was handed in. Only its kind and its texts are trusted to be what they should."""

    kind: str  # "markdown", "code" or "raw"
    source: str
    id: str
    grade_id: str
    pictures: dict  # {name: {media type: base64}}

    @cached_property
    def words(self):
        return self.source.split()

    @cached_property
    def lines(self):
        return {line.strip() for line in self.source.splitlines() if line.strip()}

    @property
    def label(self):
        """How an answer's prompt begins: "Question 1"."""
        return re.match(r"\W*([\w ]*\w)", self.source)[1]


# Reading --------------------------------------------------------------------------------------------------


def read_cells(raw):
    """The cells in a notebook's bytes, whatever its version of the format is. Rejected where there are none."""
    try:
        book = json.loads(raw.decode(json.detect_encoding(raw), errors="replace"))
    except (ValueError, RecursionError) as error:
        raise Rejected(f"the notebook is no JSON: {str(error)[:100]}") from None
    sheets = [book, *listed(book, "worksheets")]  # format 3 has the cells one level deeper
    cells = [cell for sheet in sheets for cell in listed(sheet, "cells") if isinstance(cell, dict)]
    if not cells:
        raise Rejected("the notebook has no cells")
    if len(cells) > MAX_CELLS:
        raise Rejected(f"the notebook has {len(cells):,} cells; at most {MAX_CELLS:,} are read")
    return [read_cell(cell) for cell in cells]


def read_cell(cell):
    kind = (
        cell.get("cell_type") if cell.get("cell_type") in ("code", "raw") else "markdown"
    )  # format 3 has headings, too
    metadata = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
    marks = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
    pictures = {}
    source = text_of(cell.get("source", cell.get("input"))).replace("\r\n", "\n")
    if kind == "markdown":
        source = INLINE.sub(lambda match: f"attachment:{keep_inline(pictures, *match.groups())}", source)
    attachments = cell.get("attachments") if isinstance(cell.get("attachments"), dict) else {}
    for name, picture in attachments.items():
        for media_type in PICTURES:
            data = "".join(text_of(picture.get(media_type)).split()) if isinstance(picture, dict) else ""
            if is_picture(data):
                pictures[text_of(name)] = {media_type: data}
    return Cell(kind, source, text_of(cell.get("id")), text_of(marks.get("grade_id")), pictures)


def keep_inline(pictures, kind, data):
    """Add a picture that stood in the text; its name."""
    name = f"inline-{len(pictures) + 1}"
    if is_picture(data):
        pictures[name] = {kind: data}
    return name


def is_picture(data):
    try:
        return 0 < len(data) <= MAX_PICTURE and bool(base64.b64decode(data, validate=True))
    except ValueError:
        return False


def listed(mapping, name):
    value = mapping.get(name) if isinstance(mapping, dict) else None
    return value if isinstance(value, list) else []


def text_of(value):
    """A string, or the list of lines that a notebook may have instead, without what cannot be written as UTF-8."""
    lines = value if isinstance(value, list) else [value]
    text = "".join(line for line in lines if isinstance(line, str))
    return text.encode("utf-8", errors="replace").decode()


# Placing --------------------------------------------------------------------------------------------------


def place(notebook, cells, doubt=""):
    """Write the texts of the cells into the answers of the released notebook.

    A changed answer stands in its cell; its further copies, and what was written anywhere else, stand below the answer
    that they belong to or follow. An answer with no text keeps the released one, for which nbgrader gives 0 points,
    only where the student wrote nothing that could be it: otherwise, or with a doubt, a sentence there leaves it open.
    """
    given = [read_cell(cell) for cell in notebook.cells]
    answers = [i for i, cell in enumerate(notebook.cells) if is_solution(cell)]
    cells = [cell for cell in cells if cell.words]
    homes = [home(cell, given) for cell in cells]
    written = {i: [c for c, h in zip(cells, homes) if h == i and c.words != given[i].words] for i in answers}
    elsewhere = find_elsewhere(cells, homes, given, written)
    for i in answers:
        target, (first, *copies) = notebook.cells[i], written[i] or [None]
        if first:
            target.source = with_pictures(target, first, shown(first))
        for cell, text in [(copy, copy.source) for copy in copies if copy.words != first.words] + elsewhere[i]:
            target.source += ELSEWHERE + with_pictures(target, cell, shown(cell, text))
        if not (first or elsewhere[i]) and (reason := why_open(i, given, homes, written, elsewhere) or doubt):
            target.source += LEFT_OPEN.format(reason)


def home(cell, given):
    """The index of the given cell that this one is, changed or not: by grade_id, by id, or by most of its lines."""
    for is_it in (
        lambda other: cell.words == other.words,
        lambda other: cell.grade_id and cell.grade_id == other.grade_id,
        lambda other: cell.id and cell.id == other.id,
    ):
        for i, other in enumerate(given):
            if is_it(other):
                return i
    share, i = max((len(cell.lines & other.lines) / len(other.lines), i) for i, other in enumerate(given))
    return i if share > 0.5 else None


def find_elsewhere(cells, homes, given, written):
    """What was written outside of the answers' cells. {answer: [(cell, text), ...]}"""
    elsewhere = {i: [] for i in written}
    places = by_place(cells, homes, given, list(written))
    for number, (cell, here) in enumerate(zip(cells, homes)):
        if here is None:
            elsewhere[places[number]].append((cell, cell.source))
        elif here not in written and (text := new_lines(cell, given[here])):
            below = here + 1 in written and not written[here + 1]  # written into the text above an answer's cell
            elsewhere[here + 1 if below else answer_before(here, written)].append((cell, text))
    return elsewhere


def by_place(cells, homes, given, answers):
    """{number of a cell without a home: the answer that it belongs to}.

    That is the answer with whose label it begins; or one whose cell is missing from where it stands, in order; or the
    last before it; or the first of all.
    """
    places, last, run = {}, -1, []
    for number, here in enumerate([*homes, len(given)]):  # the end closes the last run of such cells
        if here is not None:
            missing = [i for i in answers if last < i < here and i not in homes] or [answer_before(last, answers)]
            places |= {n: missing[min(k, len(missing) - 1)] for k, n in enumerate(run)}
            last, run = here, []
        elif labelled := [i for i in answers if starts_with(cells[number].source, given[i].label)]:
            places[number] = labelled[0]
        else:
            run.append(number)
    return places


def answer_before(i, answers):
    return max((answer for answer in answers if answer <= i), default=min(answers))


def starts_with(text, label):
    return re.match(rf"\W*{re.escape(label)}\b", text, re.IGNORECASE)


def new_lines(cell, other):
    """The text of a changed cell without the lines that were given."""
    return "\n".join(line for line in cell.source.splitlines() if line.strip() not in other.lines).strip()


def why_open(i, given, homes, written, elsewhere):
    """Why an answer without a text may have one nevertheless, or ""."""
    if i not in homes and homes:
        return "its cell is missing from the notebook that was handed in"
    named = any(given[i].label.casefold() in cell.source.casefold() for cells in written.values() for cell in cells)
    return "there is text elsewhere in the notebook" if named or any(elsewhere.values()) else ""


def shown(cell, text=None):
    """A cell's text, or some of it, in Markdown: code and raw text as they were typed."""
    text = cell.source if text is None else text
    if cell.kind == "markdown":
        return text
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def with_pictures(answer, cell, text):
    """Add the cell's pictures to the answer's. The text, with new names for those whose names were taken."""
    for name, picture in cell.pictures.items():
        kept, number = name, 1
        while answer.setdefault("attachments", {}).get(kept, picture) != picture:
            number += 1
            kept = f"{number}-{name}"
        answer.attachments[kept] = picture
        text = text.replace(f"attachment:{name}", f"attachment:{kept}")
    return text
