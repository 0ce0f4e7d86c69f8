"""The pictures: they are written, and show what they say."""

import shutil
import sys

import numpy as np
import pytest
import torch
from conftest import SOLUTION, finish, start
from PIL import Image

import train
import visualize
from run import load_run

DIGITS = ("--data", "digits", "--model", SOLUTION, "--objective", "vae")


def ink(path):
    """The standard deviation of a picture's grey levels: 0 for an empty one."""
    return np.asarray(Image.open(path).convert("L"), dtype=float).std()


def test_three_pictures_of_one_run(command, trained, tmp_path):
    ended = command(visualize, trained["iwae"], "--out", tmp_path / "pictures")
    assert ended.status == 0, ended.err
    for name in ("samples.png", "reconstructions.png", "plane.png"):
        assert ink(tmp_path / "pictures" / name) > 20, name
        assert name in ended.out


def test_several_runs_side_by_side(command, trained, tmp_path):
    ended = command(visualize, trained["ae"], trained["vae"], trained["iwae"], "--out", tmp_path / "all.png")
    assert ended.status == 0, ended.err
    width, height = Image.open(tmp_path / "all.png").size
    assert width > 2 * height and ink(tmp_path / "all.png") > 20


def test_tile_puts_each_image_in_its_place():
    images = torch.arange(20.0)[:, None].expand(20, 784) / 20
    picture = visualize.tile(images)
    assert picture.shape == (2 * 29 - 1, 10 * 29 - 1)
    assert picture[0, 0] == 0 and picture[0, 29] == 1 / 20 and picture[29, 0] == 10 / 20
    assert (picture[28] == 1).all() and (picture[:, 28] == 1).all()


def test_two_latent_units_make_a_regular_plane():
    z = visualize.prior_grid(2).view(10, 10, 2)
    width = visualize.PLANE_WIDTH
    torch.testing.assert_close(z[0, 0], torch.tensor([-width, width]))  # the top left corner
    torch.testing.assert_close(z[-1, -1], torch.tensor([width, -width]))
    assert (z[:, 3, 0] == z[0, 3, 0]).all() and (z[4, :, 1] == z[4, 0, 1]).all()
    assert torch.equal(visualize.prior_grid(5), visualize.prior_grid(5))  # fixed draws
    assert visualize.prior_grid(5).shape == (100, 5)


@pytest.mark.parametrize("name", ["iwae", "plane"])
def test_the_latent_plane_holds_the_means(trained, name):
    _, _, model = load_run(trained[name])
    x = visualize.load_binarized_test("digits")
    z = visualize.latent_plane(model, x).detach()
    assert z.shape == (100, model.d_latent)
    assert torch.linalg.matrix_rank(z - z.mean(0), rtol=1e-4) == 2
    torch.testing.assert_close(z.mean(0), model.encoder(x)[0].mean(0).detach(), rtol=1e-3, atol=1e-3)


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
