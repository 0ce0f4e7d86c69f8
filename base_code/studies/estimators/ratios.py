"""Signal-to-noise ratios of gradients, with error bars by halves of the draws, and their figure."""

from matplotlib.figure import Figure

from model_file import PARTS

BUDGET = 64  # samples per image, where estimators are compared at an equal number of them
TITLES = {"encoder": "the encoder's gradient", "decoder": "the decoder's, the same for all three"}
SPLITS = ((64, 1), (16, 4), (8, 8), (4, 16), (1, 64))  # m groups of k samples


def ratio(lab, draws):
    """The student's ratio averaged over the parameters, its error, and |E g|, from the draws [R, n].

    The error is half the difference of two halves of the draws. |E g| is from the product of their means, in which
    noise does not add up. Parameters whose gradient is always 0 are left out.
    """
    draws = draws[:, draws.std(0) > 0]
    first, second = draws.chunk(2)
    apart = lab.signal_to_noise(first).mean() - lab.signal_to_noise(second).mean()
    signal = (first.mean(0) @ second.mean(0)).clamp(min=0).sqrt()
    return {"ratio": lab.signal_to_noise(draws).mean().item(), "error": abs(apart.item()) / 2, "signal": signal.item()}


def row(name, m, k, found):
    """A row of a table: found {part: what ratio gives}."""
    cells = {"estimator": name, "m, k": f"{m}, {k}"}
    for part in PARTS:
        one = found[part]
        cells[f"{part}: ratio"] = f"{one['ratio']:.3f}±{one['error']:.3f}"
        cells[f"{part}: |E g|"] = f"{one['signal']:.3g}"
    return cells


def draw(path, curves, title, exact=None):
    """Ratios against k, the encoder's beside the decoder's: curves {estimator: {k: {part: what ratio gives}}}

    exact: {estimator: {k: {part: ratio}}}, drawn as crosses.
    """
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    for axes, part in zip(figure.subplots(1, len(PARTS)), PARTS):
        for number, (name, points) in enumerate(curves.items()):
            values = [point[part]["ratio"] for point in points.values()]
            errors = [point[part]["error"] for point in points.values()]
            axes.errorbar(list(points), values, errors, fmt="o-", ms=3, capsize=2, color=f"C{number}", label=name)
            known = (exact or {}).get(name, {})
            axes.plot(list(known), [one[part] for one in known.values()], "x", ms=9, color=f"C{number}")
        axes.set(xscale="log", yscale="log", xlabel="k", title=TITLES[part])
    figure.axes[0].set_ylabel("signal to noise")
    figure.axes[0].legend(fontsize=8)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120)
    return path
