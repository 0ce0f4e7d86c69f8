"""The tables that a lab prints."""

from rich import box
from rich.console import Console
from rich.table import Table


def print_table(title, rows):
    """Print rows, {heading: cell} with the same headings in each, below a title."""
    table = Table(box=box.SIMPLE)
    for number, heading in enumerate(rows[0]):
        table.add_column(heading, justify="right" if number else "left", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(str, row.values()))
    console = Console()
    console.print(f"\n{title}")
    console.print(table)
