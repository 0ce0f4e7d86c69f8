"""The table of results.json: on the screen, and in README.md.

python benchmarks/speed_table.py
"""

import json
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results.json")
README = Path(__file__).resolve().parent.parent / "README.md"
TABLE_BEGIN, TABLE_END = "<!-- speed table: begin -->\n", "<!-- speed table: end -->\n"


def rows(results):
    """The header and one row for each shape: ms of its matrix products, then each candidate's time over theirs."""
    shapes = results["seconds"]
    names = list(dict.fromkeys(name for times in shapes.values() for name in times))
    yield ["", f"{names[0]}, ms", *names[1:]]
    for shape, times in shapes.items():
        products = times[names[0]]
        ratios = [f"{times[name] / products:.2f}" if name in times else "" for name in names[1:]]
        yield [shape, f"{1e3 * products:,.1f}", *ratios]


def print_table(results):
    header, *body = rows(results)
    table = Table(box=box.SIMPLE)
    for i, heading in enumerate(header):
        table.add_column(heading, justify="right" if i else "left", no_wrap=not i)
    for row in body:
        table.add_row(*row)
    Console(width=max(Console().width, 130)).print(table)  # where it is no terminal, a file takes any width


def readme_with_table(readme, results):
    """README's text with the table in its place."""
    header, *body = rows(results)
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *body]
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    below = (
        f"{machine['processor']}, {machine['threads']} threads; measured on {results['date']} by "
        f"`{results['command']}`; versions: {versions}."
    )
    before, rest = readme.split(TABLE_BEGIN)
    _, after = rest.split(TABLE_END)
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{before}{TABLE_BEGIN}{table}\n\n{below}\n{TABLE_END}{after}"


def write_readme(results):
    """Whether README.md has a place for the table; then it holds the new one. A student's has none."""
    readme = README.read_text(encoding="utf-8") if README.exists() else ""
    if TABLE_BEGIN not in readme:
        return False
    README.write_text(readme_with_table(readme, results), encoding="utf-8")
    return True


if __name__ == "__main__":
    write_readme(json.loads(RESULTS.read_text(encoding="utf-8")))
