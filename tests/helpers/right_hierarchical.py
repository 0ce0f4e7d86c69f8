"""Right answers to the lab `hierarchical` that look different, each appended to the reference."""

RIGHT = {
    "the reference itself": "",
    # TODO 1
    "two layers by torch.distributions": """
from torch.distributions import Bernoulli, Independent, Normal
def log_weights(self, x, eps):
    q1 = Independent(Normal(*self.q_z1(x)), 1)
    z1 = q1.mean + q1.stddev * eps[..., : self.d1]
    q2 = Independent(Normal(*self.q_z2(z1)), 1)
    z2 = q2.mean + q2.stddev * eps[..., self.d1 :]
    top = Independent(Normal(torch.zeros_like(z2), torch.ones_like(z2)), 1)
    p1 = Independent(Normal(*self.p_z1(z2)), 1)
    p_x = Independent(Bernoulli(logits=self.decoder(z1)), 1)
    log_p = p_x.log_prob(x.expand(len(eps), -1, -1)) + p1.log_prob(z1) + top.log_prob(z2)
    return log_p - q1.log_prob(z1) - q2.log_prob(z2)
TwoLayerIWAE.log_weights = log_weights
""",
    "two layers by a loop over the samples, which encodes each image k times": """
def log_weights(self, x, eps):
    rows = []
    for e in eps:
        mu1, sigma1 = self.q_z1(x)
        z1 = mu1 + sigma1 * e[:, : self.d1]
        mu2, sigma2 = self.q_z2(z1)
        z2 = mu2 + sigma2 * e[:, self.d1 :]
        mu, sigma = self.p_z1(z2)
        row = bernoulli_log_likelihood(x, self.decoder(z1)) + gaussian_log_likelihood(z1, mu, sigma)
        row = row + gaussian_log_likelihood(z2, torch.zeros_like(z2), torch.ones_like(z2))
        row = row - gaussian_log_likelihood(z1, mu1, sigma1) - gaussian_log_likelihood(z2, mu2, sigma2)
        rows.append(row)
    return torch.stack(rows)
TwoLayerIWAE.log_weights = log_weights
""",
    "two layers by a loop over the images": """
def log_weights(self, x, eps):
    columns = []
    for b in range(x.shape[0]):
        eps1, eps2 = torch.tensor_split(eps[:, b], [self.d1], dim=1)
        mu1, sigma1 = self.q_z1(x[b])
        z1 = mu1 + sigma1 * eps1
        mu2, sigma2 = self.q_z2(z1)
        z2 = mu2 + sigma2 * eps2
        log_q = gaussian_log_likelihood(z1, mu1, sigma1) + gaussian_log_likelihood(z2, mu2, sigma2)
        log_p = bernoulli_log_likelihood(x[b], self.decoder(z1)) + gaussian_log_likelihood(z1, *self.p_z1(z2))
        columns.append(log_p + gaussian_log_likelihood(z2, 0 * z2, 0 * z2 + 1) - log_q)
    return torch.stack(columns, dim=1)
TwoLayerIWAE.log_weights = log_weights
""",
    "two layers flattened, in ratios of densities": """
def log_weights(self, x, eps):
    k, B, _ = eps.shape
    mu1, sigma1 = (t.repeat(k, 1) for t in self.q_z1(x))
    flat = eps.reshape(k * B, -1)
    eps1, eps2 = flat[:, : self.d1], flat[:, self.d1 :]
    z1 = reparameterize(mu1, sigma1, eps1)
    mu2, sigma2 = self.q_z2(z1)
    z2 = reparameterize(mu2, sigma2, eps2)
    mu, sigma = self.p_z1(z2)
    first = 0.5 * eps1**2 + sigma1.log() - 0.5 * ((z1 - mu) / sigma) ** 2 - sigma.log()  # the constants cancel
    second = 0.5 * eps2**2 + sigma2.log() - 0.5 * z2**2
    log_w = bernoulli_log_likelihood(x.repeat(k, 1), self.decoder(z1)) + first.sum(1) + second.sum(1)
    return log_w.view(k, B)
TwoLayerIWAE.log_weights = log_weights
""",
    "two layers with cross-entropy and a helper": """
from torch.nn.functional import binary_cross_entropy_with_logits as bce
def draw(network, given, noise):
    mu, sigma = network(given)
    z = reparameterize(mu, sigma, noise)
    return z, gaussian_log_likelihood(z, mu, sigma)
def log_weights(self, x, eps):
    z1, log_q1 = draw(self.q_z1, x, eps[:, :, : self.d1])
    z2, log_q2 = draw(self.q_z2, z1, eps[:, :, -self.d2 :])
    logits = self.decoder(z1)
    log_p = -bce(logits, x.expand_as(logits), reduction="none").sum(-1)
    prior = gaussian_log_likelihood(z2, torch.zeros(self.d2, dtype=z2.dtype), torch.ones(self.d2, dtype=z2.dtype))
    return torch.stack([log_p, gaussian_log_likelihood(z1, *self.p_z1(z2)), prior, -log_q1, -log_q2]).sum(0)
TwoLayerIWAE.log_weights = log_weights
""",
    "images by a loop": """
def sample(self, eps):
    images = []
    for e in eps:
        mu, sigma = self.p_z1(e[self.d1 :])
        images.append(self.decoder(mu + sigma * e[: self.d1]))
    return torch.stack(images)
TwoLayerIWAE.sample = sample
""",
    "images by a transform": """
from torch.distributions import AffineTransform
def sample(self, eps):
    z2 = eps[:, -self.d2 :]
    return self.decoder(AffineTransform(*self.p_z1(z2))(eps[:, : -self.d2]))
TwoLayerIWAE.sample = sample
""",
    # TODO 2
    "labels by torch.distributions": """
from torch.distributions import Bernoulli, Independent, Normal
def log_weights(self, x, eps, y):
    q = Independent(Normal(*self.q_z(torch.cat((x, y), 1))), 1)
    p = Independent(Normal(*self.prior(y)), 1)
    z = q.mean + q.stddev * eps
    y = y[None].repeat(len(eps), 1, 1)
    p_x = Independent(Bernoulli(logits=self.decoder(torch.cat((z, y), 2))), 1)
    return p_x.log_prob(x.expand(len(eps), -1, -1)) + p.log_prob(z) - q.log_prob(z)
ConditionalIWAE.log_weights = log_weights
""",
    "labels by a loop over the samples": """
def log_weights(self, x, eps, y):
    mu, sigma = self.q_z(torch.cat([x, y], dim=1))
    prior_mu, prior_sigma = self.prior(y)
    rows = []
    for i in range(eps.size(0)):
        z = mu + sigma * eps[i]
        row = bernoulli_log_likelihood(x, self.decoder(torch.cat([z, y], dim=1)))
        row = row + gaussian_log_likelihood(z, prior_mu, prior_sigma) - gaussian_log_likelihood(z, mu, sigma)
        rows.append(row)
    return torch.stack(rows)
ConditionalIWAE.log_weights = log_weights
""",
    "labels with a branch for each prior": """
def log_weights(self, x, eps, y):
    k, B, D = eps.shape
    mu, sigma = self.q_z(torch.hstack([x, y]))
    z = reparameterize(mu, sigma, eps)
    if self.p_z is None:
        log_prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    else:
        log_prior = gaussian_log_likelihood(z, *self.p_z(y))
    both = torch.cat([z.reshape(k * B, D), y.repeat(k, 1)], dim=-1)
    logits = self.decoder(both).view(k, B, -1)
    return bernoulli_log_likelihood(x, logits) + log_prior - gaussian_log_likelihood(z, mu, sigma)
ConditionalIWAE.log_weights = log_weights
""",
    # TODO 3
    "activity with N for N - 1": """
def activity(means):
    return means.var(0, unbiased=False)
""",
    "activity by numpy": """
import numpy as np
def activity(means):
    return torch.from_numpy(np.var(means.detach().numpy(), axis=0, ddof=1))
""",
    "activity by a loop, as the mean of squares less the square of the mean": """
def activity(means):
    found = []
    for unit in means.T:
        found.append((unit**2).mean() - unit.mean() ** 2)
    return torch.stack(found)
""",
    "activity from the covariance": """
def activity(means):
    return torch.atleast_2d(torch.cov(means.T)).diagonal()
""",
    "components by scikit-learn": """
from sklearn.decomposition import PCA
def principal_components(a, n):
    return torch.as_tensor(PCA(n, svd_solver="full").fit_transform(a.numpy()))
""",
    "components from the covariance, with eigenvectors turned round": """
def principal_components(a, n):
    centred = a - a.mean(dim=0, keepdim=True)
    _, vectors = torch.linalg.eigh(centred.T @ centred / (len(a) - 1))
    return centred @ vectors.flip(1)[:, :n]
""",
    "components as singular vectors times singular values": """
def principal_components(a, n):
    u, s, _ = torch.svd(a - a.mean(0))
    return u[:, :n] * s[:n]
""",
    "components of the other sign, by numpy": """
import numpy as np
def principal_components(a, n):
    b = a.numpy() - a.numpy().mean(0)
    _, _, v = np.linalg.svd(b, full_matrices=False)
    return -torch.from_numpy(b @ v[:n].T)
""",
}
