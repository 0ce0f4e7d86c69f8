"""What can become of a check, in a word and a sentence, and strangers' text made harmless for people."""

import re

VERDICTS = {  # what each says of a check
    "PASS": "passed",
    "WRONG_VALUE": "a number is wrong",
    "WRONG_GRADIENT": "the value may be right, its gradient is wrong",
    "WRONG_SHAPE": "the result has another shape",
    "WRONG_TYPE": "the result is not a tensor of floating-point numbers",
    "NONFINITE": "infinite or NaN where the right answer is finite",
    "NOT_IMPLEMENTED": "not started",
    "IMPORT_ERROR": "the file cannot be read or imported",
    "EXCEPTION": "the call raised an exception",
    "TIMEOUT": "no answer in time",
    "MEMORY": "it asked for more memory than there is",
    "EXITED": "the process ended itself",
    "OUTPUT_LIMIT": "it printed too much",
    "PROTOCOL": "it wrote into the grader's channel",
    "INFRA": "the grader itself failed: this is not a mark, grade again",
    "NOT_RUN": "not graded",
}
COMMAND = re.compile(r"(?m)^[^\S\n]*::|##(?=\w*\[)")  # GitHub's, however indented, and the older ones and Azure's


class Lost(Exception):
    """A check that is lost: its verdict, and what the feedback says."""

    def __init__(
        self,
        verdict: str,
        came_back: str,
        called: str = "",
        right: str = "",
        misconception: str | None = None,
        printed: str = "",
        numbers: str = "",
    ):
        super().__init__(verdict, came_back)
        self.verdict, self.called, self.came_back, self.right = verdict, called, came_back, right
        self.misconception, self.printed, self.numbers = misconception, printed, numbers


def clean(text: object, limit: int = 1000) -> str:
    """A stranger's text for people and logs: no control characters, escape sequences or commands to CI, limited."""
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", str(text)[: 4 * limit])
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in text).strip()
    text = COMMAND.sub(lambda command: " ".join(command[0]), text)
    return text if len(text) <= limit else text[:limit] + " …"
