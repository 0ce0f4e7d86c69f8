"""The animations of what changes while a model trains."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

DURATION = 900  # milliseconds that a frame is shown


def save_animation(path, figures):
    """Write figures of one size as a GIF that begins again."""
    first, *others = map(as_image, figures)
    first.save(path, save_all=True, append_images=others, duration=DURATION, loop=0)
    return path


def as_image(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def after(epochs):
    """The moment in words."""
    return f"after {epochs} epoch{'s' if epochs > 1 else ''}"
