"""The lab `importance`: a rare event, log p(x) of a VAE, and the true posterior of two latent units."""

from studies.importance.log_p import log_p
from studies.importance.posterior import posterior
from studies.importance.rare_event import rare_event

PARTS = {"rare-event": rare_event, "log-p": log_p, "posterior": posterior}  # each (lab, out, model_file) -> paths
