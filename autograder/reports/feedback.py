"""What was lost and why, in words."""

from autograder.grading.verdicts import VERDICTS


def explanation(ledger, result):
    """The feedback on a lost check: pairs of a label and a text."""
    lost = result.lost
    if result.verdict == "NOT_IMPLEMENTED":
        return [("to do", lost.came_back)]
    lines = [("called", lost.called), ("came back", lost.came_back), ("right is", lost.right)]
    if lost.misconception:
        entry = ledger.assignment.misconceptions[lost.misconception]
        lines += [("likely", entry.why), ("read", entry.read)]
    lines.append(("printed", lost.printed))
    if ledger.voice == "instructor":
        lines += [("seed", f"{ledger.seed}, check {result.check.id}"), ("named", lost.misconception or "nothing")]
        lines.append(("numbers", lost.numbers))
    return [(label, text) for label, text in lines if text]


def feedback(ledger, result):
    """The same as plain text. No line begins with what a stranger wrote."""
    if result.verdict in ("PASS", "NOT_RUN"):
        return VERDICTS[result.verdict]
    return f"{result.verdict}: {VERDICTS[result.verdict]}\n{laid_out(explanation(ledger, result))}"


def laid_out(lines):
    """Labels in one column, texts in the other; no line begins with a text."""
    return "\n".join(f"  {label:10}" + text.replace("\n", f"\n  {'':10}") for label, text in lines)


def lost_groups(ledger):
    """What was lost, told once for each reason: lists of Results with one misconception, or one answer."""
    groups = {}
    for result in ledger.results.values():
        if result.lost:
            reason = result.lost.misconception or (result.verdict, result.lost.came_back)
            groups.setdefault(reason, []).append(result)
    return list(groups.values())


def heading(results):
    """The title of a group: its first check, and how many more it lost."""
    more = len(results) - 1
    others = f" (and {more} more check{'s' if more > 1 else ''})" if more else ""
    return f"{results[0].title}{others}"


def first_step(ledger):
    """What to do first, in one sentence; None where every check passed."""
    for result in ledger.results.values():
        if result.lost:
            came_back = " ".join(result.lost.came_back.split())[:200]
            return f"{result.task.title}, {result.check.title}: {came_back}"
    return None
