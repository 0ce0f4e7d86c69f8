"""The look of all figures: colours, sizes, and the pieces that several decks draw with."""

import math

import torch
from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart; what is shown keeps its colour in a whole deck.
GREY, BLUE, ORANGE, GREEN, SKY, YELLOW = "#6E6E6E", "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#E69F00"
NAVY = "#0B3D63"  # of the title slide
STYLE = {
    "font.size": 16,  # points: 21 pixels of a slide, which is 720 pixels high
    "axes.titlesize": 17,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlepad": 10,
    "lines.linewidth": 2.5,
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "svg.fonttype": "path",  # looks the same where the font is missing
    "svg.hashsalt": "slides",
    "hatch.linewidth": 1.5,
    "image.interpolation": "none",
    "image.cmap": "gray",
}


def canvas(width, height, rows=1, columns=1, layout="constrained", **options):
    """A figure and its axes. The size is in inches of 96 slide pixels; layout "compressed" for images."""
    figure = Figure(figsize=(width, height), layout=layout)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.05)
    return figure, figure.subplots(rows, columns, **options)


def show_image(axes, picture, title=None, **options):
    """A picture [height, width] without axes."""
    axes.imshow(picture.numpy(), **{"vmin": 0, "vmax": 1, **options})
    axes.set_axis_off()
    axes.set_title(title or "")


def draw_mass(axes, z, mass):
    """The areas that hold 50 and 95 % of a mass [n*n] at the points z [n*n, 2] of a square grid."""
    descending = mass.sort(descending=True).values
    thresholds = [descending[(descending.cumsum(0) < share).sum()].item() for share in (0.95, 0.5)]
    side = math.isqrt(len(mass))
    z_1, z_2, density = (each.view(side, side).numpy() for each in (*z.T, mass))
    axes.contourf(z_1, z_2, density, [*thresholds, 1], colors=["#8FD6BF", GREEN])


def draw_ellipses(axes, mu, sigma, color):
    """One and two standard deviations around the mean of a diagonal Gaussian, both [1, 2]."""
    angle = torch.linspace(0, 2 * math.pi, 200)
    for radius in (1, 2):
        axes.plot(*(mu + radius * sigma * torch.stack([angle.cos(), angle.sin()], 1)).T, color=color, linewidth=2)
