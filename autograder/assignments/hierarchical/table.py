"""The paper's table of what has been measured: its files, beside the published figures, with paired differences."""

import csv
import io
import json

import numpy as np

from outputs import write_atomically, write_json

COLUMNS = (1, 5, 50)  # samples per image while training
PUBLISHED = {  # test NLL after 3280 epochs, {row: (the paper's, a public TensorFlow reproduction's)}
    "VAE, 1 layer": ((86.76, 86.47, 86.35), (86.35, 86.10, 86.06)),
    "IWAE, 1 layer": ((86.76, 85.54, 84.78), (86.35, 85.18, 84.59)),
    "DReG, 1 layer": (None, (86.08, 84.90, 84.32)),
    "VAE, 2 layers": ((85.33, 85.01, 84.78), (84.83, 84.08, 83.89)),
    "IWAE, 2 layers": ((85.33, 83.89, 82.90), (84.83, 83.48, 82.82)),
    "conditional IWAE": (None, (82.32, 81.41, 80.78)),
}
SOURCES = ("Burda et al., 2015", "nbip/IWAE")
# What is compared on the same images, (row, row): how much larger log p(x) is in the first, for each k.
PAIRS = (
    ("IWAE, 1 layer", "VAE, 1 layer"),
    ("IWAE, 2 layers", "VAE, 2 layers"),
    ("DReG, 1 layer", "IWAE, 1 layer"),
    ("VAE, 2 layers", "VAE, 1 layer"),
    ("IWAE, 2 layers", "IWAE, 1 layer"),
    ("conditional IWAE", "IWAE, 1 layer"),
)


def write_result(folder, result, arrays):
    """What was measured of a run, and numbers of each image: {name: array}."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_atomically(folder / "log_p.npz", content.getvalue())
    write_json(folder / "result.json", result)


def read_result(folder):
    """result.json of a run, or None."""
    path = folder / "result.json"
    return json.loads(path.read_text()) if path.exists() else None


def read(work, rows):
    """{title: {k: result}} of the runs that are done, with numbers of each image added."""
    found = {title: {} for title in rows}
    for title, runs in rows.items():
        for k, run in runs.items():
            if result := read_result(work / run.name):
                with np.load(work / run.name / "log_p.npz") as arrays:
                    found[title][k] = {"run": run.name, **result, **arrays}
    return {title: results for title, results in found.items() if results}


def write(work, rows):
    """table.md, table.csv and table.json in the folder work. Returns the text of the first."""
    found = read(work, rows)
    text = markdown(found)
    write_atomically(work / "table.md", text.encode())
    write_atomically(work / "table.csv", as_csv(found).encode())
    plain = {title: {k: without_arrays(result) for k, result in results.items()} for title, results in found.items()}
    write_json(work / "table.json", {"rows": plain, "differences": differences(found)})
    return text


def without_arrays(result):
    return {name: value for name, value in result.items() if not isinstance(value, np.ndarray)}


def markdown(found):
    """The table, the runs in detail and the differences, in Markdown."""
    if not found:
        return "Nothing has been measured yet.\n"
    lines = ["| test NLL, nats | epochs | k = 1 | k = 5 | k = 50 |", "|---|---|---|---|---|"]
    for title, results in found.items():
        epochs = ", ".join(str(n) for n in sorted({result["epochs"] for result in results.values()}))
        cells = [cell(results.get(k)) for k in COLUMNS]
        lines.append(f"| **{title}** | {epochs} | {' | '.join(cells)} |")
        for source, figures in zip(SOURCES, PUBLISHED[title]):
            if figures:
                lines.append(f"| {source} | 3280 | {' | '.join(f'{figure:.2f}' for figure in figures)} |")
    lines += ["", *details(found), "", *compared(found), "", conditions(found)]
    return "\n".join(lines) + "\n"


def cell(result):
    return f"{result['nll']:.2f} ± {result['standard_error']:.2f}" if result else ""


def details(found):
    lines = ["| run | NLL without the label | active units | training, s | test, s |", "|---|---|---|---|---|"]
    for result in unique(found):
        without = f"{-result['log_p_without_labels'].mean():.2f}" if "log_p_without_labels" in result else ""
        active = ", ".join(f"{n} of {result['units'][layer]} in {layer}" for layer, n in result["active"].items())
        seconds = f"{result['train_seconds']:.0f} | {result['test_seconds']:.0f}"
        lines.append(f"| {result['run']} | {without} | {active} | {seconds} |")
    return lines


def unique(found):
    """Each run once."""
    return {result["run"]: result for results in found.values() for result in results.values()}.values()


def differences(found):
    """How much larger log p(x) is in one run than in another, on the same images: rows as dictionaries."""
    pairs = []
    for first, second in PAIRS:
        for k in COLUMNS:
            pairs.append((f"{first}, against {second}, k = {k}", at(found, first, k), at(found, second, k)))
    for title, results in found.items():
        for k, fewer in zip(COLUMNS[1:], COLUMNS):
            pairs.append((f"{title}, k = {k} against k = {fewer}", results.get(k), results.get(fewer)))
    rows = []
    for name, one, other in pairs:
        if one and other and one["run"] != other["run"] and one["images"] == other["images"]:
            rows += [{"pair": name, **difference(one["log_p"], other["log_p"])}]
            if "log_p_without_labels" in one and "log_p_without_labels" not in other:
                rows += [{"pair": f"{name}, label unknown", **difference(one["log_p_without_labels"], other["log_p"])}]
    return rows


def at(found, title, k):
    return found.get(title, {}).get(k)


def difference(one, other):
    gain = one - other
    return {"nats": float(gain.mean()), "standard_error": float(gain.std(ddof=1) / len(gain) ** 0.5)}


def compared(found):
    lines = ["| better by, nats, on the same images | mean ± standard error |", "|---|---|"]
    for row in differences(found):
        lines.append(f"| {row['pair']} | {row['nats']:+.3f} ± {row['standard_error']:.3f} |")
    return lines


def conditions(found):
    """How it was measured, in a sentence."""
    results = list(unique(found))

    def each(describe):
        return " and ".join(sorted({describe(result) for result in results}))

    return (
        f"Measured with k = {each(lambda r: str(r['k']))} on {each(lambda r: format(r['images'], ','))} test images, "
        f"± standard error over images; preset {each(lambda r: r['preset'])}, seed {each(lambda r: str(r['seed']))}; "
        f"{each(lambda r: r['device'])}, torch {each(lambda r: r['versions']['torch'])}, Python "
        f"{each(lambda r: r['versions']['python'])}; {each(lambda r: r['date'][:10])}. The paper has 50 latent units "
        "in one layer, as here, and the reproduction 100. The conditional rows are log p(x | y): the label is given."
    )


def as_csv(found):
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    names = ("nll", "standard_error", "epochs", "train_loss", "train_seconds", "test_seconds", "k", "images", "seed")
    writer.writerow(["row", "train k", *names, *SOURCES])
    for title, results in found.items():
        for k, result in results.items():
            published = [figures[COLUMNS.index(k)] if figures else "" for figures in PUBLISHED[title]]
            writer.writerow([title, k, *(result[name] for name in names), *published])
    return text.getvalue()
