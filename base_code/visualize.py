"""The sample visualizer: what the decoder has learned, as pictures.

python base_code/visualize.py runs/vae              samples, reconstructions and the latent plane of one run
python base_code/visualize.py runs/ae runs/vae      the samples of several runs side by side
"""

import argparse
import json
from pathlib import Path

import matplotlib
import torch
from matplotlib.figure import Figure
from PIL import Image

from cli import run_command
from data import load_binarized_test
from outputs import MARK, own_file, owned_folder
from run import load_run

SIDE = 28  # pixels
GRID = 10  # images along each side of a grid
PRIOR_SEED = 7
PLANE_WIDTH = 2.5  # the latent plane reaches this many standard deviations of the prior to each side


def prior_grid(d_latent):
    """Fixed latents of GRID x GRID images: a regular plane for two latent units, else draws from the prior.  [N, D]"""
    if d_latent == 2:
        return plane_grid(torch.zeros(2), torch.eye(2) * PLANE_WIDTH)
    return torch.randn(GRID * GRID, d_latent, generator=torch.Generator().manual_seed(PRIOR_SEED))


def plane_grid(centre, axes):
    """A regular grid of latents: centre [D] plus -1 ... 1 times each of the two axes [2, D].  -> [N, D]"""
    steps = torch.linspace(-1, 1, GRID)
    down, right = torch.meshgrid(-steps, steps, indexing="ij")
    return centre + right.reshape(-1, 1) * axes[0] + down.reshape(-1, 1) * axes[1]


@torch.no_grad()
def latent_plane(model, x):
    """The plane through the test images' mu that holds most of their variance (PCA).  -> [N, D]

    With two latent units this is the whole latent space.
    """
    from sklearn.decomposition import PCA  # a second to import: only when needed

    device = next(model.parameters()).device
    mu = model.encoder(x.to(device))[0].cpu()
    if mu.shape[1] == 1:
        return torch.linspace(-PLANE_WIDTH, PLANE_WIDTH, GRID * GRID)[:, None]
    pca = PCA(2, random_state=0).fit(mu.numpy())
    axes = torch.tensor(pca.components_ * pca.explained_variance_[:, None] ** 0.5, dtype=torch.float32)
    return plane_grid(mu.mean(0), axes * PLANE_WIDTH)


@torch.no_grad()
def decode(model, z):
    """Means of p(x | z), on the CPU.  [N, D] -> [N, P]"""
    device = next(model.parameters()).device
    return model.decoder(z.to(device)).sigmoid().cpu()


def tile(images, columns=GRID):
    """Images in rows, with a thin white line between them.  [N, P] -> [height, width], 0 black to 1 white"""
    padded = torch.nn.functional.pad(images.view(-1, SIDE, SIDE), (0, 1, 0, 1), value=1.0)
    rows = padded.view(-1, columns, SIDE + 1, SIDE + 1)
    return rows.permute(0, 2, 1, 3).reshape(len(rows) * (SIDE + 1), -1)[:-1, :-1]


def draw_panels(path, panels):
    """Write one picture with a panel for each title: {title: images as one tensor [height, width]}."""
    figure = Figure(figsize=(4.2 * len(panels), 4.9), layout="constrained")
    for axes, (title, picture) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items()):
        axes.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
    metadata = {"Creator": MARK} if str(path).endswith((".png", ".pdf", ".svg")) else None  # others take no text
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata=metadata)
    return path


def run_title(folder, settings):
    """A run in a few words: its name and its test figure, if it has been evaluated."""
    title = Path(folder).name
    if settings.objective not in title.lower():
        title += f": {settings.objective}"
    if settings.objective == "iwae":
        title += f", k = {settings.train_k}"
    try:
        figures = json.loads((Path(folder) / "test.json").read_text())
    except (OSError, ValueError):
        return title
    if "nll" in figures:
        return f"{title}\ntest NLL {figures['nll']:.1f} nats"
    if "elbo" in figures:
        return f"{title}\ntest ELBO {figures['elbo']:.1f} nats"
    return f"{title}\nreconstruction {figures['reconstruction_loss']:.1f} nats, no NLL"


def draw_samples(path, folder, settings, model):
    images = decode(model, prior_grid(model.d_latent))
    return draw_panels(path, {run_title(folder, settings): tile(images)})


@torch.no_grad()
def draw_reconstructions(path, model, x):
    """Test images x [N, P] in every other row, and below each its reconstruction from mu."""
    mu, _ = model.encoder(x.to(next(model.parameters()).device))
    pairs = torch.stack([x.view(-1, GRID, SIDE * SIDE), decode(model, mu).view(-1, GRID, SIDE * SIDE)], dim=1)
    return draw_panels(path, {"test images, and their reconstructions below": tile(pairs.reshape(-1, SIDE * SIDE))})


def draw_curves(path, rows, figures):
    """The training loss of each epoch, from the rows of metrics.csv, and the final test figure."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    epochs, losses = [int(row["epoch"]) for row in rows], [float(row["train_loss"]) for row in rows]
    axes.plot(epochs, losses, marker="." if len(rows) < 50 else None, label=f"train loss ({figures['objective']})")
    if "nll" in figures:
        name, value = f"NLL, k = {figures['k']}", figures["nll"]
    elif "elbo" in figures:
        name, value = "-ELBO", -figures["elbo"]
    else:
        name, value = "reconstruction loss", figures["reconstruction_loss"]
    axes.axhline(value, color="tab:orange", linestyle="--", label=f"test {name}: {value:.1f}")
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

        self.folder, self.z = Path(folder), prior_grid(d_latent)
        interactive = matplotlib.backends.backend_registry.list_builtin(matplotlib.backends.BackendFilter.INTERACTIVE)
        self.is_window = plt.get_backend().lower() in interactive
        self.plt = plt
        if self.is_window:
            plt.ion()
        else:
            (self.folder / "frames").mkdir(exist_ok=True)

    def show(self, model, epoch):
        """Draw the samples as they are after an epoch."""
        picture = tile(decode(model, self.z))
        if not self.is_window:
            frame = Image.fromarray((picture * 255).byte().numpy())
            frame.save(self.folder / "frames" / f"epoch-{epoch:05d}.png")
            return
        figure = self.plt.figure("samples", figsize=(6, 6))  # opens the window, or takes the one that is open
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


def draw_run(folder, out):
    """samples.png, reconstructions.png and plane.png of one run."""
    config, _, model = load_run(folder)
    settings = config["settings"]
    x = load_binarized_test(settings.data)
    with torch.no_grad():
        plane = tile(decode(model, latent_plane(model, x)))
    name = "latent plane" if model.d_latent == 2 else "plane of the two main directions of mu"
    return [
        draw_samples(out / "samples.png", folder, settings, model),
        draw_reconstructions(out / "reconstructions.png", model, x[: GRID * GRID // 2]),
        draw_panels(out / "plane.png", {f"{run_title(folder, settings)}\n{name}": plane}),
    ]


def draw_comparison(folders, path):
    """One picture with the samples of several runs side by side, from the same latents where D agrees."""
    panels = {}
    for folder in folders:
        config, _, model = load_run(folder)
        panels[run_title(folder, config["settings"])] = tile(decode(model, prior_grid(model.d_latent)))
    return draw_panels(path, panels)


def main():
    parser = argparse.ArgumentParser(description="Draw the samples of trained runs.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run folder, made by train.py --out")
    parser.add_argument(
        "--out", type=Path, help="one run: the folder for its three pictures (default: the run's own); "
        "several runs: the picture to write (default: comparison.png)"
    )  # fmt: skip
    arguments = parser.parse_args()
    if len(arguments.runs) == 1:
        out = arguments.out or Path(arguments.runs[0])
        if out.resolve() != Path(arguments.runs[0]).resolve():
            owned_folder(out, "visualize", former=("samples.png", "reconstructions.png"))
        written = draw_run(arguments.runs[0], out)
    else:
        written = [draw_comparison(arguments.runs, own_file(arguments.out or Path("comparison.png")))]
    print("wrote", ", ".join(str(path) for path in written))


if __name__ == "__main__":
    run_command(main)
