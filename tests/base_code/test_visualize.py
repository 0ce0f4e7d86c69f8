"""The pictures: they are written, and show what they say."""

import json
import shutil
import sys

import numpy as np
import pytest
import scipy.stats
import torch
from PIL import Image

import train
import visualize
from data import load_test
from helpers.commands import SOLUTION, finish, start
from run_folder import add_figures, load_run, read_figures

DIGITS = ("--data", "digits", "--model", SOLUTION, "--objective", "vae")


def ink(path):
    """The standard deviation of a picture's grey levels: 0 for an empty one."""
    return np.asarray(Image.open(path).convert("L"), dtype=float).std()


@pytest.mark.parametrize("run", ["iwae", "plane", "ae"])
def test_pictures_of_one_run(command, trained, tmp_path, run):
    ended = command(visualize, trained[run], "--out", tmp_path / "pictures")
    assert ended.status == 0, ended.err
    for name in ("samples.png", "reconstructions.png", "interpolation.png", "plane.png", "latents.png"):
        assert ink(tmp_path / "pictures" / name) > 20, name
        assert name in ended.out
    ended = command(visualize, trained[run], "--out", tmp_path / "binary", "--binary")
    assert ended.status == 0, ended.err
    samples, draws = ((tmp_path / folder / "samples.png").read_bytes() for folder in ("pictures", "binary"))
    assert samples != draws


def test_several_runs_side_by_side(command, trained, tmp_path):
    ended = command(visualize, trained["ae"], trained["vae"], trained["iwae"], "--out", tmp_path / "all.png")
    assert ended.status == 0, ended.err
    width, height = Image.open(tmp_path / "all.png").size
    assert width > 2 * height and ink(tmp_path / "all.png") > 20


@pytest.fixture
def drawn_panels(monkeypatch):
    """The panels of each picture that is drawn, instead of its file."""
    drawn = []
    monkeypatch.setattr(visualize, "draw_panels", lambda path, panels: drawn.append(panels) or path)
    return drawn


def test_titles_say_what_is_drawn_and_the_k_of_an_nll(trained, drawn_panels):
    config, _, model = load_run(trained["iwae"])
    for binary, what in ((False, "means of p(x | z) at draws z"), (True, "binary draws of p(x | z) at draws z")):
        visualize.draw_samples("x.png", trained["iwae"], config["settings"], model, binary)
        ((title, picture),) = drawn_panels[-1].items()
        assert what in title and "nats (k = 100)" in title
        assert (set(picture.unique().tolist()) <= {0.0, 1.0}) == binary


def test_a_comparison_uses_one_k(command, trained, tmp_path, drawn_panels):
    runs = [shutil.copytree(trained[name], tmp_path / name) for name in ("vae", "iwae", "ae")]
    add_figures(runs[0], {**read_figures(runs[0])[100], "k": 5000, "nll": 1.0})
    assert command(visualize, *runs).status == 0
    titles = list(drawn_panels[-1])
    assert sum("(k = 100)" in title for title in titles) == 2 and "reconstruction loss" in titles[2]
    config = json.loads((runs[1] / "test.json").read_text())
    (runs[1] / "test.json").write_text(json.dumps({**config, "k": 50}))
    ended = command(visualize, *runs)
    assert ended.status == 0 and "not evaluated with one and the same k" in ended.err
    assert not any("NLL" in title.replace("no NLL", "") for title in drawn_panels[-1])


def test_runs_of_one_name_and_bad_runs_side_by_side(command, trained, tmp_path, drawn_panels):
    runs = [shutil.copytree(trained["vae"], tmp_path / folder / "run") for folder in ("a", "b")]
    ended = command(visualize, *runs, tmp_path / "nowhere")
    assert ended.status == 1 and "nowhere is not a run" in ended.err and len(ended.err.splitlines()) == 1
    assert len(drawn_panels[-1]) == 2


def test_tile_puts_each_image_in_its_place():
    images = torch.arange(20.0)[:, None].expand(20, 784) / 20
    picture = visualize.tile(images)
    assert picture.shape == (2 * 29 - 1, 10 * 29 - 1)
    assert picture[0, 0] == 0 and picture[0, 29] == 1 / 20 and picture[29, 0] == 10 / 20
    assert (picture[28] == 1).all() and (picture[:, 28] == 1).all()


@pytest.mark.parametrize("d_latent", [1, 2, 10])
def test_samples_are_draws_from_the_prior(d_latent):
    z = visualize.prior_grid(d_latent)
    assert z.shape == (100, d_latent) and torch.equal(z, visualize.prior_grid(d_latent))  # fixed draws
    assert scipy.stats.kstest(z.flatten(), "norm").pvalue > 0.01


def test_with_two_latent_units_the_plane_is_the_plane(trained):
    mu = visualize.encode(load_run(trained["plane"])[2], load_test("digits")[0])
    centre, axes, names = visualize.plane_axes(mu)
    z = visualize.plane_grid(centre, axes).view(10, 10, 2)
    width = visualize.PLANE_WIDTH
    torch.testing.assert_close(z[0, 0], torch.tensor([-width, width]))  # the top left corner
    torch.testing.assert_close(z[-1, -1], torch.tensor([width, -width]))
    assert (z[:, 3, 0] == z[0, 3, 0]).all() and (z[4, :, 1] == z[4, 0, 1]).all()
    assert names == ("$z_1$", "$z_2$")


def test_with_more_the_plane_holds_the_means(trained):
    mu = visualize.encode(load_run(trained["iwae"])[2], load_test("digits")[0])
    z = visualize.plane_grid(*visualize.plane_axes(mu)[:2])
    assert z.shape == (100, mu.shape[1])
    assert torch.linalg.matrix_rank(z - z.mean(0), rtol=1e-4) == 2
    torch.testing.assert_close(z.mean(0), mu.mean(0), rtol=1e-3, atol=1e-3)


def test_without_labels_the_latents_have_no_colours(command, trained, tmp_path, monkeypatch):
    def unavailable(_):
        raise visualize.MissingDataset("no labels here")

    monkeypatch.setattr(visualize, "load_labels", unavailable)
    ended = command(visualize, trained["vae"], "--out", tmp_path)
    assert ended.status == 0 and "no labels here" in ended.err and "without colours" in ended.err
    assert ink(tmp_path / "latents.png") > 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend, display, n_notices",
    [("nonsense", "", 1), ("module://of_no_such_package", "", 0), ("TkAgg", "", 0)],
)
def test_a_backend_that_does_not_work_is_done_without(tmp_path, backend, display, n_notices):
    options = (*DIGITS, "--epochs", 1, "--hidden", 5, "--visualize", "--out", tmp_path / "run")
    ended = finish(start("base_code/train.py", *options, MPLBACKEND=backend, DISPLAY=display))
    assert ended.status == 0, ended.err
    notices = [line for line in ended.err.splitlines() if line.startswith("notice: ")]
    assert len(notices) == n_notices and "Traceback" not in ended.err
    assert (tmp_path / "run" / "samples.gif").exists() and (tmp_path / "run" / "curves.png").exists()


@pytest.mark.slow
def test_without_a_display_training_is_an_animation(command, tmp_path, monkeypatch):
    monkeypatch.setattr(visualize.matplotlib, "get_backend", lambda: "agg")
    options = (*DIGITS, "--epochs", 3, "--visualize", "--out", tmp_path / "run")
    ended = command(train, *options)
    assert ended.status == 0, ended.err
    with Image.open(tmp_path / "run" / "samples.gif") as animation:
        assert animation.n_frames == 3
    assert command(train, "--resume", tmp_path / "run", "--epochs", 5, "--visualize").status == 0
    with Image.open(tmp_path / "run" / "samples.gif") as animation:
        assert animation.n_frames == 5


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("xvfb-run"), reason="needs xvfb-run")
def test_with_a_display_training_opens_a_window(tmp_path):
    """A real window on a virtual screen: the command asks the X server for it while it trains."""
    pytest.importorskip("tkinter")
    code = (
        "import sys; sys.path.insert(0, 'base_code'); import visualize, train\n"
        "show = visualize.TrainingView.show\n"
        "def told(view, model, epoch):\n"
        "    show(view, model, epoch)\n"
        "    print('window', view.plt.get_current_fig_manager().window.winfo_viewable(), flush=True)\n"
        "visualize.TrainingView.show = told\n"
        "train.main()"
    )
    options = (*DIGITS, "--epochs", 2, "--visualize", "--out", tmp_path / "run")
    script = tmp_path / "watch.py"
    script.write_text(code)
    process = start("-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))",
                    "xvfb-run", "-a", sys.executable, script, *options, PYTHONPATH="base_code")  # fmt: skip
    ended = finish(process)
    assert ended.status == 0, ended.err
    assert ended.out.count("window 1") == 2
    assert not (tmp_path / "run" / "samples.gif").exists()
