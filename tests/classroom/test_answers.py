"""What students write in a notebook reaches who grades it, wherever it stands, and is harmless in a browser."""

import json
import os
import random

import bs4
import nbformat
import pytest
from nbgrader.utils import compute_checksum, is_solution

from autograder.classroom import answers
from autograder.classroom.handed_in import copy_all, find
from autograder.classroom.safe_html import MAX_MARKDOWN, markdown2html
from helpers.submissions import IWAE

RELEASED = IWAE.notebook.released
PIXEL = "iVBORw0KGgo="


def released():
    return nbformat.read(RELEASED, as_version=4)


def edit(change):
    """The cells of the released notebook, as JSON, after change(cells, answers)."""
    cells = json.loads(json.dumps(released().cells))
    change(cells, [cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("solution")])
    return cells


def placed(change, doubt=""):
    """{grade_id: cell} of the answers after a student's change."""
    notebook = released()
    answers.place(notebook, answers.read_cells(json.dumps({"cells": edit(change)}).encode()), doubt)
    nbformat.validate(notebook)
    return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if is_solution(cell)}


def is_zero(cell):
    """Whether nbgrader gives 0 points without a person."""
    return compute_checksum(cell) == cell.metadata.nbgrader.checksum


def new(kind="markdown", source="mine", **more):
    return {"cell_type": kind, "metadata": {}, "source": source, **more}


def strip(cells):
    for cell in cells:
        cell.pop("id", None)
        cell["metadata"] = {}


def below(number):
    return lambda cells, answers: cells.insert(cells.index(answers[number]) + 1, new("code", "mine"))


def stripped_and_answered(cells, answers):
    answers[2]["source"] = answers[2]["source"].replace("YOUR ANSWER HERE", "mine")
    strip(cells)


def stripped_without_prompts(cells, answers):
    for i, answer in enumerate(answers):
        answer["source"] = "mine" if i == 4 else f"other text {i}"
    strip(cells)


def a_copy(cells, answers):
    answers[1]["source"] = "first"
    cells.append({**answers[1], "source": "mine", "id": "copy"})


def another_type(kind):
    def change(cells, answers):
        answers[0] |= {"cell_type": kind, "source": "mine"}

    return change


def above(cells, answers):
    cells[cells.index(answers[2]) - 1]["source"] += "\nmine"


def labelled(cells, answers):
    cells.append(new(source="## question 2\nmine"))


def by_id(cells, answers):
    answers[3] |= {"metadata": {}, "source": "mine"}


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (below(0), "question-1"),
        (below(5), "question-5"),
        (lambda cells, answers: cells.insert(0, new("raw")), "question-1"),
        (stripped_and_answered, "question-3"),
        (stripped_without_prompts, "question-4"),
        (a_copy, "question-2"),
        (another_type("code"), "question-1"),
        (another_type("raw"), "question-1"),
        (above, "question-3"),
        (labelled, "question-2"),
        (by_id, "table"),
    ],
)
def test_a_text_reaches_the_answer_that_it_belongs_to(change, answer):
    cells = placed(change)
    assert [name for name, cell in cells.items() if "mine" in cell.source] == [answer]
    assert not is_zero(cells[answer])


def test_no_text_is_lost_whatever_is_done_to_the_notebook():
    for seed in range(100):
        draw, texts = random.Random(seed), []

        def change(cells, answers, draw=draw, texts=texts):
            for _ in range(draw.randint(1, 8)):
                cell, text = draw.choice(cells), f"word{len(texts)}."
                match draw.randrange(8):
                    case 0:
                        cells.insert(draw.randrange(len(cells)), new(draw.choice(["markdown", "code", "raw"]), text))
                    case 1:
                        cell["source"] = text
                    case 2:
                        cell["source"] += f"\n{text}"
                    case 3:
                        cells.append({**cell, "source": text})
                    case 4:
                        cell["cell_type"] = draw.choice(["markdown", "code", "raw"])
                    case 5:
                        draw.choice([strip, draw.shuffle])(cells)
                    case 6:
                        cell["metadata"] = {"nbgrader": {"grade_id": f"question-{draw.randint(1, 5)}"}}
                    case 7:
                        answer = draw.choice(answers)
                        answer["source"] = answer["source"].replace("YOUR ANSWER HERE", text)
                texts.append(text)
            texts[:] = [text for text in texts if any(text in cell["source"] for cell in cells)]

        cells = placed(change)
        read = "\n".join(cell.source for cell in cells.values())
        assert all(text in read for text in texts), seed


def test_only_where_nothing_was_written_is_an_answer_marked_without_a_person():
    assert all(is_zero(cell) for cell in placed(lambda cells, answers: None).values())
    assert all(is_zero(cell) for cell in placed(lambda cells, answers: strip(cells)).values())
    assert not any(is_zero(cell) for cell in placed(below(2)).values())  # it may be the answer to another question
    assert not any(is_zero(cell) for cell in placed(lambda cells, answers: None, "iwae.ipynb is unread").values())
    one = placed(lambda cells, answers: answers[0].update(source="mine"))
    assert [name for name, cell in one.items() if not is_zero(cell)] == ["question-1"]
    two = placed(lambda cells, answers: answers[0].update(source="mine; question 2: mine too"))
    assert [name for name, cell in two.items() if not is_zero(cell)] == ["question-1", "question-2"]
    gone = placed(lambda cells, answers: cells.remove(answers[4]))
    assert [name for name, cell in gone.items() if not is_zero(cell)] == ["question-4"]


def test_pictures_are_kept_under_names_of_their_own():
    def change(cells, answers):
        svg = {"image/svg+xml": "<svg onload=alert(1)/>"}
        attachments = {"a.png": {"image/png": PIXEL}, "b.svg": svg, "c.png": {"image/png": "'>"}, "d": 7}
        answers[0] |= {"source": "![](attachment:a.png)", "attachments": attachments}
        other = new(source="![](attachment:a.png)", attachments={"a.png": {"image/jpeg": [PIXEL]}})
        pasted = new(source=f"![](data:image/png;base64,{PIXEL})")  # as Colab does it
        cells[cells.index(answers[0]) + 1 : 0] = [other, pasted]

    cell = placed(change)["question-1"]
    assert cell.attachments == {
        "a.png": {"image/png": PIXEL},
        "2-a.png": {"image/jpeg": PIXEL},
        "inline-1": {"image/png": PIXEL},
    }
    pictures = bs4.BeautifulSoup(shown(cell.source, cell), "html.parser").find_all("img")
    assert [picture["src"].partition(";")[0] for picture in pictures] == [
        "data:image/png",
        "data:image/jpeg",
        "data:image/png",
    ]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no cells"),
        (b'{"cells": 7, "worksheets": [7]}', "no cells"),
        (json.dumps({"cells": [{}] * 2001}).encode(), "2,001 cells"),
    ],
)
def test_what_is_no_notebook_is_said_in_a_sentence(raw, says):
    with pytest.raises(answers.Rejected, match=says):
        answers.read_cells(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'\xef\xbb\xbf{"cells": [{"source": ["mine ", "too"]}]}',
        '{"cells": [{"source": "mine too"}]}'.encode("utf-16"),
        b'{"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": "mine too"}]}]}',
        b'{"nbformat": 5, "cells": [7, {"cell_type": 7, "source": "mine too", "metadata": [], "attachments": 7}]}',
        b'{"cells": [{"source": "mine too", "metadata": {"nbgrader": {"grade_id": ["x"]}}, "id": 7}]}',
    ],
)
def test_a_notebook_is_read_whatever_its_encoding_and_format(raw):
    assert [cell.source for cell in answers.read_cells(raw)] == ["mine too"]


def test_what_cannot_be_written_is_replaced():
    assert answers.read_cells(b'{"cells": [{"source": "a \\ud800 b \xff"}]}')[0].source == "a ? b \ufffd"


# The copies -----------------------------------------------------------------------------------------------


@pytest.fixture
def copies(tmp_path):
    """Make the copies of one student's files: {name: text, or bytes, or a path to link to}"""

    def make(files):
        folder = tmp_path / "submitted" / "ada" / "iwae"
        folder.mkdir(parents=True)
        for name, content in files.items():
            if isinstance(content, os.PathLike):
                (folder / name).symlink_to(content)
            else:
                (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        hand_in = copy_all(tmp_path / "submitted", "*", IWAE, tmp_path / "copies")["ada"]
        copied = {path.name: path.read_text() for path in (tmp_path / "copies/ada/iwae").iterdir()}
        return hand_in, copied

    return make


MINE = json.dumps({"cells": [new()]})


@pytest.mark.parametrize(
    ("files", "problem", "note"),
    [
        ({"iwae.ipynb": MINE}, "", ""),
        ({"IWAE.IPYNB": MINE}, "", "IWAE.IPYNB is taken"),
        ({"iwae (1).ipynb": MINE}, "", "is taken"),
        ({"iwae.ipynb": MINE, "iwae (1).ipynb": MINE}, "", "not read: iwae (1).ipynb"),
        ({"iwae.ipynb": MINE, "\udcff.ipynb": MINE}, "", "not read"),
        ({"iwae (2).ipynb": MINE, "iwae (1).ipynb": MINE}, "no notebook", "not read: iwae (1).ipynb, iwae (2).ipynb"),
        ({}, "no notebook", ""),
        ({"iwae.ipynb": RELEASED}, "it is a link", ""),
        ({"iwae.ipynb": "{"}, "no JSON", ""),
        ({"iwae.ipynb": b" " * (20 * 2**20 + 1)}, "bytes", ""),
        ({"iwae.ipynb": MINE, "timestamp.txt": "yesterday"}, "timestamp.txt", ""),
        ({"iwae.ipynb": MINE, "timestamp.txt": b"\xff\xfe"}, "timestamp.txt", ""),
        ({"iwae.ipynb": MINE, "timestamp.txt": "99999-01-01 00:00:00 UTC"}, "timestamp.txt", ""),
        ({"iwae.ipynb": MINE, "timestamp.txt": RELEASED}, "timestamp.txt", ""),
    ],
)
def test_a_hand_in_that_is_not_as_expected_is_told_and_left_open(copies, files, problem, note):
    hand_in, copied = copies({"model.py": "x = 1\n", "torch.py": "", "secret": RELEASED, **files})
    assert problem in "; ".join(hand_in.problems) and bool(problem) == bool(hand_in.problems)
    assert note in "; ".join(hand_in.notes) and bool(note) == bool(hand_in.notes)
    assert set(copied) == {"iwae.ipynb", "model.py"} and copied["model.py"] == "x = 1\n"
    cells = [cell for cell in nbformat.reads(copied["iwae.ipynb"], 4).cells if is_solution(cell)]
    assert not any(is_zero(cell) for cell in cells)
    if not problem:
        assert any("mine" in cell.source for cell in cells)


@pytest.mark.parametrize("stamp", ["2026-01-02 03:04:05.000 UTC", "2026-01-02 03:04:05 +0100", ""])
def test_a_timestamp_is_kept(copies, stamp):
    hand_in, copied = copies({"iwae.ipynb": MINE, "timestamp.txt": stamp})
    assert copied["timestamp.txt"] == stamp and not hand_in.problems


@pytest.mark.parametrize("link", ["ada", "ada/iwae"])
def test_a_folder_behind_a_link_is_refused(tmp_path, link):
    real = tmp_path / "real" / "iwae"
    real.mkdir(parents=True)
    (real / "iwae.ipynb").write_text(MINE)
    path = tmp_path / "submitted" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(real.parent if link == "ada" else real)
    hand_in = copy_all(tmp_path / "submitted", "*", IWAE, tmp_path / "copies")["ada"]
    assert "behind a link" in hand_in.doubt
    assert "mine" not in (tmp_path / "copies/ada/iwae/iwae.ipynb").read_text()


def test_a_file_is_found_under_the_names_that_browsers_give(tmp_path):
    for name in ("Model (1).py", "my_model.py", "models.py"):
        (tmp_path / name).touch()
    assert find(tmp_path, "model.py").name == "Model (1).py"
    (tmp_path / "model-2.py").touch()
    assert find(tmp_path, "model.py").name == "model.py"


# The HTML -------------------------------------------------------------------------------------------------


def shown(source, cell=None):
    return markdown2html({"cell": cell or {"source": source}}, source)


@pytest.mark.parametrize(
    "text",
    [
        "$k < l$",
        "a<b",
        "a<b and c>d",
        "$$a<b>c$$",
        "<b>bold</b>",
        "&lt;",
        "1 < 2 & 3 > 2",
        "<!-- note -->",
        "- [x] done",
    ]
    + ["\\begin{a}x<y\\end{a}", "`x<y>z`", "```python\nvector<int> v\n```", "```\n<script>\n```"],
)
def test_a_text_is_shown_as_it_was_typed(text):
    page = bs4.BeautifulSoup(shown(text), "html.parser").get_text()
    assert page.strip() == text.removeprefix("```python").removeprefix("- ").strip("`\n")


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<iframe src=javascript:alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "[x](javascript:alert(1))",
        "[x](JAVASCRIPT:alert(1))",
        "[x](<java\nscript:alert(1)>)",
        "[x](java&Tab;script:alert(1))",
        "[x](&#x6A;avascript:alert(1))",
        "[x](\x01javascript:alert(1))",
        "[x](javascript&colon;alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x) [y](file:///etc/passwd) [z](//evil.example) [w](/formgrader/)",
        "[x][y]\n\n[y]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "![x](javascript:alert(1))",
        "![x](data:image/svg+xml;base64,PHN2Zz4=)",
        '![x" onerror="alert(1)](attachment:none.png)',
        '[x](http://a "onclick=alert(1)")',
        "```mermaid\n</pre><script>alert(1)</script>\n```",
        '```"><script>alert(1)</script>\nx\n```',
        "# <img src=x onerror=alert(1)>",
        "$<img src=x onerror=alert(1)>$",
        "<style>body{display:none}</style><form action=//evil.example><input></form>",
        "- [x] <input onfocus=alert(1) autofocus>",
        "<" * 5 + "script>" + "a" * MAX_MARKDOWN,
    ],
)
def test_nothing_in_a_text_is_live(attack):
    page = bs4.BeautifulSoup(shown(attack), "html.parser")
    for tag in page.find_all():
        assert tag.name in "p a pre code span div h1 ul li em strong table".split()
        assert set(tag.attrs) <= {"class", "href", "rel", "title"}
        assert tag.get("href", "http://a").startswith("http://a")


def test_tags_in_a_comment_of_who_grades_are_kept_as_far_as_they_are_harmless():
    assert shown("<b>good</b><script>x</script>", {"source": "an answer"}) == "<p><b>good</b></p>\n"
