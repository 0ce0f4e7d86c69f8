"""The lab `importance`: a rare event, log p(x) of a VAE, and the true posterior of two latent units."""

from studies.importance import log_p, posterior, rare_event

PARTS = {"rare-event": rare_event, "log-p": log_p, "posterior": posterior}
