"""The labs' parts of check.py: a file for each lab, with its CHECKS, {TODO: {function: its check}}."""
