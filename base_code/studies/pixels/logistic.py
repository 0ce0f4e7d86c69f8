"""The discretized logistic, and what is left of its gradient far from the centre."""

import torch
from matplotlib.figure import Figure

from studies.tables import print_table

EXAMPLES = ((100.0, 3.0), (5.0, 12.0), (240.0, 40.0))  # mu, s
CENTRE, SCALE = 60.0, 2.0  # of the one whose gradient is shown
LEVELS = torch.arange(256.0)
OTHER_FORMS = {
    "log of the difference": lambda p: p.log(),
    "log of the difference + 1e-7": lambda p: (p + 1e-7).log(),
}


def study(lab, out, model_file):
    """The probabilities of the 256 levels, and the gradient that leads mu to a level far away"""
    rows = [row(lab, x) for x in (60.0, 80.0, 100.0, 250.0)]
    print_table(f"log P(x) in float32, and its gradient to mu = {CENTRE:g}, s = {SCALE:g}", rows)
    return [draw(out / "logistic.png", lab)]


def difference(x, mu, s):
    """P(x) as it is written: the difference of two sigmoids."""
    below, above = torch.sigmoid((x - 0.5 - mu) / s), torch.sigmoid((x + 0.5 - mu) / s)
    return torch.where(x == 255, 1.0, above) - torch.where(x == 0, 0.0, below)


def with_gradient(log_p, x, centre):
    """log P of the levels x, and the gradient of each to its mu, for a form of it.  [N] -> [N], [N]"""
    mu = torch.full_like(x, centre, requires_grad=True)
    value = log_p(mu)
    return value.detach(), torch.autograd.grad(value.sum(), mu)[0]


def forms(lab, x=LEVELS, centre=CENTRE, scale=SCALE):
    """By each form, in the precision of the levels x.  [N] -> {name: (values [N], gradients [N])}"""
    log_s = torch.full_like(x, scale).log()
    found = {"yours": with_gradient(lambda mu: lab.discretized_logistic(x, mu, log_s), x, centre)}
    for name, log in OTHER_FORMS.items():
        found[name] = with_gradient(lambda mu, log=log: log(difference(x, mu, log_s.exp())), x, centre)
    return found


def row(lab, x):
    cells = {"x": f"{x:g}"}
    for name, (value, gradient) in forms(lab).items():
        cells[name] = f"{value[int(x)]:.2f}, {gradient[int(x)]:.2g}"
    return cells


def draw(path, lab):
    """Left, the probabilities of the examples; then log P(x), and its gradient to mu, by the three forms."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for mu, s in EXAMPLES:
        log_p = lab.discretized_logistic(LEVELS, torch.full_like(LEVELS, mu), torch.full_like(LEVELS, s).log())
        left.step(LEVELS, log_p.exp(), where="mid", lw=1, label=f"mu = {mu:g}, s = {s:g}: sum {log_p.exp().sum():.4f}")
    left.set(xlabel="x", ylabel="P(x)", yscale="log", ylim=(1e-6, 1))
    left.legend(fontsize=7)
    for (name, (value, gradient)), style in zip(forms(lab).items(), ("-", "--", ":")):
        middle.plot(LEVELS, value, style, label=name)
        right.plot(LEVELS, gradient, style)
    middle.set(xlabel="x", title=f"log P(x), mu = {CENTRE:g}, s = {SCALE:g}, in float32")
    right.set(xlabel="x", title="its gradient to mu")
    middle.legend(fontsize=7)
    figure.savefig(path, dpi=120)
    return path
