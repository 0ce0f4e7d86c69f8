"""The lab `pixels`: a stable log-likelihood, what bits per dimension codecs need, and VAEs of colour patches."""

from studies.pixels import bits, logistic, vaes

PARTS = {"logistic": logistic, "bits": bits, "vae": vaes}
