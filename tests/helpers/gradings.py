"""Gradings in a sandbox that stays open for the next one."""

from autograder.grading.grading import Grading
from autograder.grading.remote import RemoteFile
from autograder.grading.submission import start_sandbox


class OpenSandbox:
    """One open sandbox of an assignment for many submissions, replaced where one has destroyed it."""

    def __init__(self, assignment, level=None):
        self.assignment, self.level, self.sandbox = assignment, level, None

    def grade(self, submission, checks=None, **options):
        """The Grading of a Submission."""
        if not self.sandbox or not self.sandbox.is_open:
            self.sandbox = start_sandbox(self.assignment, self.level)
        remote = RemoteFile(submission, self.level, sandbox=self.sandbox)
        grading = run_grading(remote, checks, **options)
        self.sandbox = remote.sandbox or self.sandbox
        return grading

    def close(self):
        if self.sandbox:
            self.sandbox.close()


def run_grading(remote, checks=None, until=lambda result: False, **options):
    """A Grading without stages that has run the checks, or all, until one's Result. The sandbox stays open."""
    grading = Grading(remote, remote.assignment.without_stages(), **options)
    for check in grading.checks if checks is None else checks:
        if until(grading.run(check)):
            break
    if remote.process:
        remote.process.close()
    return grading


def lost(ledger):
    return [result for result in ledger.results.values() if result.verdict != "PASS"]


def names(ledger):
    """{check: the mistake that was named} of what was lost."""
    return {result.check.id: result.misconception for result in lost(ledger) if result.lost}
