"""The stub of a file with solutions.

In the source, each answer stands between `### BEGIN SOLUTION` and `### END SOLUTION`. The first line
after BEGIN is a comment, the stub's text: `# TODO n: one sentence of help`. The stub keeps that sentence in
`raise NotImplementedError("TODO n: ...")` and drops the answer.
"""

import re
from dataclasses import dataclass

from cli import UserError

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
HINT = re.compile(r"# (TODO \d: \S.*)")


@dataclass
class OpenBlock:
    """A solution that has begun and not ended: where, and the help that stays."""

    line: int
    hint: str | None = None


def strip_solutions(text, name):
    """The stub of a source text: each answer becomes a NotImplementedError with its sentence of help.

    Raises UserError, with the line, for a nested, unclosed or unopened block or one without help.
    """
    stub, answer = [], None
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        if code == BEGIN:
            if answer:
                raise UserError(f"{name}, line {number}: {BEGIN} inside the block that began in line {answer.line}")
            answer = OpenBlock(number)
        elif code == END:
            if not answer:
                raise UserError(f"{name}, line {number}: {END} without {BEGIN}")
            if not answer.hint:
                raise UserError(f"{name}, line {answer.line}: expected a comment '# TODO n: ...' after {BEGIN}")
            stub.append(f'{indent}raise NotImplementedError("{answer.hint}")')
            answer = None
        elif "SOLUTION" in code and code.startswith("#"):
            raise UserError(f"{name}, line {number}: {code!r} is no marker; write {BEGIN!r} or {END!r}")
        elif not answer:
            stub.append(line)
        elif not answer.hint and number == answer.line + 1 and (match := HINT.fullmatch(code)):
            answer.hint = match[1].replace("\\", "\\\\").replace('"', '\\"')
    if answer:
        raise UserError(f"{name}, line {answer.line}: {BEGIN} is never closed")
    return "\n".join(stub) + "\n"
