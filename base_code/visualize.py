"""The sample visualizer: what the decoder has learned, as pictures.

python base_code/visualize.py runs/vae-mnist                  five pictures of one run, into its folder
python base_code/visualize.py runs/ae-mnist runs/vae-mnist    the samples of several runs side by side
"""

from cli import UserError, run_command, told  # isort: skip  # first: Ctrl-C while torch is imported

import argparse
import os
import sys
from pathlib import Path

import torch
from PIL import Image
from torch.nn import functional as F

from data import CLASSES, MissingDataset, load_labels, load_test
from model_file import can_be_drawn, has_networks, needs_labels, reconstructs
from outputs import MARK, own_file, owned_folder
from run_folder import labels, load_run, read_figures, unique

try:
    import matplotlib
except ValueError:  # the pictures are files, for which no backend is needed
    if "MPLBACKEND" not in os.environ:
        raise
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:  # half imported
        del sys.modules[name]
    print(f"notice: there is no MPLBACKEND {os.environ.pop('MPLBACKEND')!r}; going on without", file=sys.stderr)
    import matplotlib
from matplotlib.figure import Figure

SIDE = 28  # pixels
GRID = 10  # images along each side of a grid
PRIOR_SEED = 7
TENSORBOARD = "tensorboard==2.21.0"  # optional: with what it needs, some 30 MB
PLANE_WIDTH = 2.5  # the latent plane reaches this many standard deviations of the prior to each side


def prior_grid(d_latent):
    """Draws from the prior, always the same, for a grid of GRID x GRID images.  -> [N, D]"""
    return torch.randn(GRID * GRID, d_latent, generator=torch.Generator().manual_seed(PRIOR_SEED))


def plane_grid(centre, axes):
    """A regular grid of latents: centre [D] plus -1 ... 1 times each of the two axes [2, D].  -> [N, D]"""
    steps = torch.linspace(-1, 1, GRID)
    down, right = torch.meshgrid(-steps, steps, indexing="ij")
    return centre + right.reshape(-1, 1) * axes[0] + down.reshape(-1, 1) * axes[1]


def encode(model, x):
    """mu of images, on the CPU.  [B, P] -> [B, D]"""
    device = next(model.parameters()).device
    with torch.no_grad():
        return torch.cat([model.encoder(images.to(device))[0].cpu() for images in x.split(1000)])


def plane_axes(mu):
    """The plane of latents that is drawn, of the means mu [N, D]: its centre [D], its two axes [2, D], and their names.

    With two latent units it is all there is, to PLANE_WIDTH standard deviations of the prior. With more it is the
    plane through the means that holds most of their variance (PCA), to as many standard deviations of theirs.
    """
    if mu.shape[1] == 2:
        return torch.zeros(2), torch.eye(2) * PLANE_WIDTH, ("$z_1$", "$z_2$")
    if mu.shape[1] == 1:
        return torch.zeros(1), torch.tensor([[PLANE_WIDTH], [0.0]]), ("$z_1$", "")
    from sklearn.decomposition import PCA  # a second to import: only when needed

    pca = PCA(2, random_state=0).fit(mu.numpy())
    axes = torch.tensor(pca.components_ * pca.explained_variance_[:, None] ** 0.5, dtype=torch.float32)
    names = tuple(f"principal component {i}, in standard deviations" for i in (1, 2))
    return mu.mean(0), axes * PLANE_WIDTH, names


@torch.no_grad()
def decode(model, z):
    """Means of p(x | z), on the CPU.  [N, D] -> [N, P]"""
    device = next(model.parameters()).device
    return model.decoder(z.to(device)).sigmoid().cpu()


@torch.no_grad()
def prior_means(model, z):
    """Means of p(x | z) at draws z [N, D] of the prior, on the CPU, 0 to 1: [N, P] or [N, C, H, W].

    A model that asks for classes gets the same one in each column of the grid.
    """
    if not hasattr(model, "sample"):
        return decode(model, z)
    device = next(model.parameters()).device
    y = [F.one_hot(torch.arange(len(z)) % CLASSES, CLASSES).float().to(device)] if needs_labels(model) else []
    return shade(model.sample(z.to(device), *y))


def shade(images):
    """Logits [N, P] or grey levels [N, C, H, W] as numbers from 0, black, to 1, on the CPU."""
    return (images.sigmoid() if images.ndim == 2 else (images / 255).clamp(0, 1)).cpu()


def draw_images(model, z, binary=False):
    """What p(x | z) gives: its means or, binary, a draw of each pixel, the same every time.  [N, D] -> [N, P]"""
    means = prior_means(model, z)
    is_drawn = binary and means.ndim == 2  # 8-bit pixels are not binary
    return torch.bernoulli(means, generator=torch.Generator().manual_seed(PRIOR_SEED)) if is_drawn else means


def tile(images, columns=GRID):
    """Images in rows, with a thin white line between them, 0 black to 1 white.

    [N, P] or [N, C, H, W] -> [height, width], of colour images [height, width, 3]
    """
    if images.ndim == 2:
        images = images.view(-1, 1, SIDE, SIDE)
    padded = F.pad(images, (0, 1, 0, 1), value=1.0)
    _, n_colours, height, width = padded.shape
    rows = padded.view(-1, columns, n_colours, height, width).permute(0, 3, 1, 4, 2)  # rows, height, columns, width, C
    return rows.reshape(len(rows) * height, columns * width, n_colours)[:-1, :-1].squeeze(-1)


def panels_figure(panels):
    """A figure with a panel for each title: {title: images as one tensor [height, width]}."""
    figure = Figure(figsize=(4.2 * len(panels), 5.1), layout="constrained")
    for axes, (title, picture) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items()):
        axes.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
    return figure


def draw_panels(path, panels):
    """Write the figure of these panels."""
    metadata = {"Creator": MARK} if str(path).endswith((".png", ".pdf", ".svg")) else None  # others take no text
    panels_figure(panels).savefig(path, dpi=120, bbox_inches="tight", metadata=metadata)
    return path


def test_line(figures):
    """A run's test figures in a few words, the NLL with its k; "" without figures."""
    if not figures:
        return ""
    doubt = "\n(not a likelihood: see evaluate.py)" if "doubt" in figures else ""
    if "nll" in figures:
        return f"test NLL {figures['nll']:.1f} nats (k = {figures['k']}){doubt}"
    if "elbo" in figures:
        return f"test ELBO {figures['elbo']:.1f} nats{doubt}"
    return f"test reconstruction loss {figures['reconstruction_loss']:.1f} nats, no NLL"


def run_title(name, settings, figures):
    """A run in a few words: its name, and its test figures below, if it has been evaluated."""
    title = name
    if settings.objective not in title.lower():
        title += f": {settings.objective}"
    if settings.objective == "iwae":
        title += f", train k = {settings.train_k}"
    return f"{title}\n{test_line(figures)}".strip()


def samples_title(binary):
    return ("binary draws of p(x | z)" if binary else "means of p(x | z)") + " at draws z of the prior N(0, I)"


def draw_samples(path, folder, settings, model, binary=False):
    figures = read_figures(folder)
    title = run_title(Path(folder).name, settings, figures[max(figures, key=lambda k: k or 0)] if figures else None)
    images = draw_images(model, prior_grid(model.d_latent), binary)
    return draw_panels(path, {f"{title}\n{samples_title(binary)}": tile(images)})


def draw_reconstructions(path, model, x, *y):
    """Test images x [N, P] or [N, C, H, W], of classes y, in every other row, and below each its reconstruction."""
    decoded, shape = reconstruct(model, x, *y), x.shape[1:]
    x = x if x.ndim == 2 else x / 255
    pairs = torch.stack([x.view(-1, GRID, *shape), decoded.view(-1, GRID, *shape)], dim=1)
    title = "test images x, and below each the mean of p(x | z) at z = mu(x)"
    return draw_panels(path, {title: tile(pairs.reshape(-1, *shape))})


@torch.no_grad()
def reconstruct(model, x, *y):
    """The mean of p(x | z) at the z that q says of x, on the CPU, 0 to 1.  x -> as x"""
    if not hasattr(model, "reconstruct"):
        return decode(model, encode(model, x))
    device = next(model.parameters()).device
    return shade(model.reconstruct(*(t.to(device) for t in (x, *y))))


def draw_interpolation(path, model, x):
    """From one test image to another in each row, along the straight line between their mu.  x [2 GRID, P]"""
    first, last = x.view(2, GRID, 1, SIDE * SIDE)  # [GRID, 1, P]
    steps = torch.linspace(0, 1, GRID - 2)[None, :, None]
    mu = encode(model, x).view(2, GRID, 1, -1)
    between = decode(model, mu[0] + steps * (mu[1] - mu[0]))  # [GRID, GRID - 2, P]
    rows = torch.cat([first, between, last], dim=1)
    title = (
        "first and last column: test images; between them\nmeans of p(x | z) on the line from one mu(x) to the other"
    )
    return draw_panels(path, {title: tile(rows.view(-1, SIDE * SIDE))})


def draw_plane(path, model, x):
    """The means of p(x | z) on a regular grid of the latent plane, with its axes."""
    centre, axes, names = plane_axes(encode(model, x))
    picture = tile(decode(model, plane_grid(centre, axes)))
    figure = Figure(figsize=(5.6, 5.9), layout="constrained")
    plot = figure.subplots()
    # The middle of each outermost image lies at PLANE_WIDTH.
    edge = PLANE_WIDTH * GRID / (GRID - 1)
    plot.imshow(
        picture.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=(-edge, edge, -edge, edge)
    )
    plot.set_title("means of p(x | z) on the latent plane", fontsize=10)
    label_plane(plot, names)
    figure.savefig(path, dpi=120)
    return path


def label_plane(plot, names):
    ticks = range(-int(PLANE_WIDTH), int(PLANE_WIDTH) + 1)
    plot.set(xlabel=names[0], ylabel=names[1], xticks=ticks, yticks=ticks if names[1] else [])


def draw_latents(path, model, x, classes):
    """mu of the test images x [N, P] on the latent plane, coloured by class where classes [N] are known."""
    mu = encode(model, x)
    centre, axes, names = plane_axes(mu)
    # An axis has the length PLANE_WIDTH in its own units; the pseudo-inverse gives a point's multiple of each.
    points = (mu - centre) @ torch.linalg.pinv(axes) * PLANE_WIDTH  # [N, 2]
    figure = Figure(figsize=(5.9, 5.4), layout="constrained")
    plot = figure.subplots()
    size = 12 if len(x) < 1000 else 2
    if classes is None:
        plot.scatter(*points.T, s=size)
    else:
        dots = plot.scatter(*points.T, s=size, c=classes, cmap="tab10", vmin=-0.5, vmax=9.5)
        figure.colorbar(dots, ticks=range(10), label="class")
    plot.set_title(f"mu(x) of {len(x):,} test images on the latent plane", fontsize=10)
    plot.set(xlabel=names[0], ylabel=names[1], aspect="equal")
    figure.savefig(path, dpi=120)
    return path


def draw_curves(path, rows, figures):
    """Train and test loss of each epoch, from the rows of metrics.csv, and the final test figure."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    marker = "." if len(rows) < 50 else None
    for column, name in (("train_loss", "train loss"), ("test_loss", "test loss, the same bound")):
        known = [row for row in rows if row.get(column)]  # runs of earlier versions have no test loss
        epochs, losses = [int(row["epoch"]) for row in known], [float(row[column]) for row in known]
        if known:
            axes.plot(epochs, losses, marker=marker, label=f"{name} ({figures['objective']})")
    if "nll" in figures:
        name, value = f"NLL, k = {figures['k']}", figures["nll"]
    elif "elbo" in figures:
        name, value = "-ELBO", -figures["elbo"]
    else:
        name, value = "reconstruction loss", figures["reconstruction_loss"]
    axes.axhline(value, color="tab:green", linestyle="--", label=f"final test {name}: {value:.1f}")
    axes.set(xlabel="epoch", ylabel="nats per image")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    figure.savefig(path, dpi=120)


class TrainingView:
    """The decoder's means on a fixed grid of latents while it trains.

    Live in a window where matplotlib finds a display; otherwise an animation, samples.gif in the run folder.
    """

    def __init__(self, folder, d_latent):
        import matplotlib.pyplot as plt

        self.folder, self.z, self.plt = Path(folder), prior_grid(d_latent), plt
        interactive = matplotlib.backends.backend_registry.list_builtin(matplotlib.backends.BackendFilter.INTERACTIVE)
        self.is_window = False
        try:
            self.is_window = plt.get_backend().lower() in interactive
            if self.is_window:
                plt.ion()
                plt.figure("samples", figsize=(6, 6))
        except Exception as error:  # a backend that is not installed, or whose display does not answer
            self.is_window = False
            print(f"notice: no window can be opened ({error}); samples.gif will show them instead", file=sys.stderr)
        if not self.is_window:
            (self.folder / "frames").mkdir(exist_ok=True)

    def show(self, model, row):
        """Draw the samples as they are after the epoch of a row of metrics.csv."""
        epoch = row["epoch"]
        picture = tile(prior_means(model, self.z))
        if not self.is_window:
            frame = Image.fromarray((picture * 255).byte().numpy())
            frame.save(self.folder / "frames" / f"epoch-{epoch:05d}.png")
            return
        figure = self.plt.figure("samples", figsize=(6, 6))  # the window that is open or, if it was closed, a new one
        axes = figure.gca()
        axes.clear()
        axes.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1)
        axes.set_title(f"after epoch {epoch}")
        axes.set_axis_off()
        figure.canvas.draw()
        figure.canvas.flush_events()

    def close(self):
        """Join the frames to samples.gif. They stay, so that a resumed run goes on with the same animation."""
        if self.is_window:
            self.plt.close("samples")
            return
        frames = [Image.open(path) for path in sorted((self.folder / "frames").glob("epoch-*.png"))]
        if frames:
            frames[0].save(self.folder / "samples.gif", save_all=True, append_images=frames[1:], duration=200, loop=0)


def import_summary_writer():
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError(f"--tensorboard needs one more package: pip install {TENSORBOARD}") from None
    return SummaryWriter


class EventFile:
    """The rows of metrics.csv and the samples of each epoch, for TensorBoard."""

    def __init__(self, folder, d_latent, epoch):
        """epoch: the number of epochs that are done; what a resumed run repeats is written anew."""
        self.writer = import_summary_writer()(Path(folder) / "tensorboard", purge_step=epoch + 1)
        self.z = prior_grid(d_latent)

    def show(self, model, row):
        for name in ("train_loss", "test_loss", "lr"):
            self.writer.add_scalar(name, float(row[name]), row["epoch"])
        if can_be_drawn(model):
            picture = tile(prior_means(model, self.z))
            self.writer.add_image("samples", picture, row["epoch"], dataformats="HWC"[: picture.ndim])

    def close(self):
        self.writer.close()


def load_test_classes(name):
    """The test images' classes, or None with a notice where they cannot be had."""
    try:
        return load_labels(name)[1]
    except MissingDataset as reason:
        print(f"notice: {reason}\nnotice: latents.png is drawn without colours", file=sys.stderr)
        return None


def load_drawable(folder):
    """A run's settings and its model; UserError also where that lacks what pictures are made with."""
    config, _, model = load_run(folder)
    if not can_be_drawn(model):
        raise UserError(f"{folder} cannot be drawn: its model has no encoder and decoder")
    return config["settings"], model


def draw_run(folder, out, binary=False):
    """Five pictures of one run, into the folder out; fewer of a model that is more than an encoder and a decoder."""
    settings, model = load_drawable(folder)
    x, *y = load_test(settings.data, needs_labels(model))
    drawn = [draw_samples(out / "samples.png", folder, settings, model, binary)]
    if reconstructs(model):
        some = (t[: GRID * GRID // 2] for t in (x, *y))
        drawn.append(draw_reconstructions(out / "reconstructions.png", model, *some))
    if not has_networks(model):
        return drawn
    return [
        *drawn,
        draw_interpolation(out / "interpolation.png", model, x[: 2 * GRID]),
        draw_plane(out / "plane.png", model, x),
        draw_latents(out / "latents.png", model, x, load_test_classes(settings.data)),
    ]


def common_k(figures_of_runs):
    """The largest k with which every run that has an NLL was evaluated, or None: NLLs of different k do not compare."""
    ks = [{k for k, figures in run.items() if "nll" in figures} for run in figures_of_runs]
    ks = [known for known in ks if known]
    return max(set.intersection(*ks), default=None) if ks else None


def draw_comparison(folders, path, binary=False):
    """One picture with the samples of several runs side by side, from the same latents where D agrees."""
    figures = {folder: read_figures(folder) for folder in folders}
    k = common_k(figures.values())
    if k is None and any("nll" in f for run in figures.values() for f in run.values()):
        print(
            "notice: no NLL is shown, since the runs were not evaluated with one and the same k; do that with: "
            f"python base_code/evaluate.py {' '.join(map(str, folders))}",
            file=sys.stderr,
        )
    panels = {}
    for folder, name in labels(folders).items():
        settings, model = load_drawable(folder)
        shown = figures[folder].get(k) or next((f for f in figures[folder].values() if "nll" not in f), None)
        title = f"{run_title(name, settings, shown)}\n{samples_title(binary)}"
        panels[title] = tile(draw_images(model, prior_grid(model.d_latent), binary))
    return draw_panels(path, panels)


def main():
    parser = argparse.ArgumentParser(
        description="Draw trained runs. One run: samples.png, reconstructions.png, interpolation.png (between test "
        "images), plane.png (the latent plane, decoded) and latents.png (test images on it, coloured by class). "
        "Several runs: the samples of all, side by side."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run folder, made by train.py --out")
    parser.add_argument(
        "--out", type=Path, help="one run: the folder for its pictures (default: the run's own); "
        "several runs: the picture to write (default: comparison.png)"
    )  # fmt: skip
    parser.add_argument("--binary", action="store_true", help="samples as binary draws of p(x | z), not its means")
    arguments = parser.parse_args()
    folders, found, failed = unique(arguments.runs), [], []
    if len(arguments.runs) == 1:
        out = arguments.out or folders[0]
        load_drawable(folders[0])  # what is wrong with it is told before a folder is made
        if out.resolve() != Path(folders[0]).resolve():
            owned_folder(out, "visualize", former=("samples.png", "reconstructions.png"))
        written = draw_run(folders[0], out, arguments.binary)
    else:
        for folder in folders:
            with told(folder, failed):
                load_drawable(folder), read_figures(folder)
                found.append(folder)
        path = own_file(arguments.out or Path("comparison.png"))
        written = [draw_comparison(found, path, arguments.binary)] if found else []
    if written:
        print("wrote", ", ".join(str(path) for path in written))
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    run_command(main)
