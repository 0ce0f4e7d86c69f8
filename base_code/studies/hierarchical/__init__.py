"""The lab `hierarchical`: what the latents of both layers say of the class, which are used, and samples."""

from studies.hierarchical import components, images, units

PARTS = {"components": components, "units": units, "images": images}
