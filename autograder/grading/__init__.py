"""One grading, of any assignment: the submission, calls of it in the sandbox, the judge, the ledger."""
