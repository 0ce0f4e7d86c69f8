"""Right answers to the lab `estimators` that look different, each appended to the reference."""

RIGHT = {
    "the reference itself": "",
    # TODO 1
    "the divergence by torch.distributions": """
from torch.distributions import Independent, Normal, kl_divergence
def gaussian_kl(mu, sigma):
    q, p = Normal(mu, sigma), Normal(torch.zeros_like(mu), torch.ones_like(sigma))
    return kl_divergence(Independent(q, 1), Independent(p, 1))
""",
    "the divergence through the log variance": """
def gaussian_kl(mu, sigma):
    log_variance = 2 * sigma.log()
    return -0.5 * torch.sum(1 + log_variance - mu.pow(2) - log_variance.exp(), dim=1)
""",
    "the divergence as cross-entropy minus entropy, by a loop over the units": """
import math
def gaussian_kl(mu, sigma):
    total = 0
    for d in range(mu.shape[-1]):
        m, s = mu[:, d], sigma[:, d]
        cross = 0.5 * math.log(2 * math.pi) + (m * m + s * s) / 2
        total = total + cross - (0.5 * math.log(2 * math.pi * math.e) + torch.log(s))
    return total
""",
    "the divergence in float32 inside": """
def gaussian_kl(mu, sigma):
    mu, sigma = mu.float(), sigma.float()
    return ((mu**2 + sigma**2 - 1) / 2 - sigma.log()).sum(-1)
""",
    "the divergence in float64 inside, one image after the other": """
def gaussian_kl(mu, sigma):
    rows = [((m.double() ** 2 + s.double() ** 2 - 1) / 2 - s.double().log()).sum() for m, s in zip(mu, sigma)]
    return torch.stack(rows).to(mu.dtype)
""",
    "the ELBO by a sum, a division and a divergence of its own": """
def vae_objective_kl(log_p_x_given_z, mu, sigma):
    k = log_p_x_given_z.size(0)
    kl = torch.einsum("bd,bd->b", mu, mu) + torch.einsum("bd,bd->b", sigma, sigma) - mu.shape[1]
    return log_p_x_given_z.sum(0) / k - 0.5 * kl + sigma.log().sum(1)
""",
    "the ELBO of each sample, then the mean": """
def vae_objective_kl(log_p_x_given_z, mu, sigma):
    return torch.stack([row - gaussian_kl(mu, sigma) for row in log_p_x_given_z]).mean(0)
""",
    # TODO 2
    "miwae by logsumexp": """
import math
def miwae_objective(log_w):
    m, k, B = log_w.shape
    return (torch.logsumexp(log_w, dim=1) - math.log(k)).sum(dim=0) / m
""",
    "miwae by a loop over the groups": """
def miwae_objective(log_w):
    return sum(iwae_objective(group) for group in log_w) / len(log_w)
""",
    "miwae by a loop over everything, with a shift of its own": """
def miwae_objective(log_w):
    images = []
    for b in range(log_w.shape[2]):
        bounds = []
        for group in log_w[:, :, b]:
            c = group.max().detach()
            bounds.append(c + (group - c).exp().mean().log())
        images.append(torch.stack(bounds).mean())
    return torch.stack(images)
""",
    "miwae as images of groups, by log_mean_exp": """
def miwae_objective(log_w):
    m, k, B = log_w.shape
    return log_mean_exp(log_w.transpose(0, 1).reshape(k, m * B), 0).view(m, B).mean(0)
""",
    "miwae under vmap": """
import math
def miwae_objective(log_w):
    return torch.vmap(lambda group: torch.logsumexp(group, 0) - math.log(len(group)))(log_w).mean(0)
""",
    "miwae with the gradient of equation 14 and the right value": """
def miwae_objective(log_w):
    bound = log_mean_exp(log_w, dim=1).mean(0).detach()
    surrogate = (torch.softmax(log_w, 1).detach() * log_w).sum(1).mean(0)
    return surrogate + (bound - surrogate).detach()
""",
    "ciwae by lerp": """
def ciwae_objective(log_w, beta):
    return torch.lerp(iwae_objective(log_w), vae_objective(log_w), beta)
""",
    "ciwae as the bound plus beta times the difference, in float64 inside": """
import math
def ciwae_objective(log_w, beta):
    a = log_w.double()
    bound = a.logsumexp(0) - math.log(len(a))
    return (bound + beta * (a.mean(0) - bound)).to(log_w.dtype)
""",
    "ciwae of one image after the other": """
def ciwae_objective(log_w, beta):
    columns = [log_w[:, b] for b in range(log_w.shape[1])]
    return torch.stack([beta * c.mean() + (1 - beta) * log_mean_exp(c) for c in columns])
""",
    "piwae with the decoder's bound from those of the groups": """
def piwae_objectives(log_w):
    bounds = log_mean_exp(log_w, dim=1)  # [m, B]
    return torch.stack((bounds.mean(dim=0), log_mean_exp(bounds, dim=0)))
""",
    "piwae by views and cat": """
import math
def piwae_objectives(log_w):
    m, k, B = log_w.shape
    encoder = log_w.logsumexp(1).sub(math.log(k)).mean(0, keepdim=True)
    decoder = log_w.reshape(m * k, B).logsumexp(0, keepdim=True) - math.log(m * k)
    return torch.cat([encoder, decoder])
""",
    "piwae over two axes at once": """
import math
def piwae_objectives(log_w):
    decoder = torch.logsumexp(log_w, dim=(0, 1)) - math.log(log_w.shape[0]) - math.log(log_w.shape[1])
    return torch.stack([miwae_objective(log_w), decoder])
""",
    # TODO 3
    "equation 14 under no_grad": """
def weighted_objective(log_w):
    with torch.no_grad():
        w = torch.softmax(log_w, dim=0)
    return torch.sum(w * log_w, dim=0)
""",
    "equation 14 by log_softmax of detached log weights, by einsum": """
def weighted_objective(log_w):
    return torch.einsum("kb,kb->b", torch.log_softmax(log_w.detach(), 0).exp(), log_w)
""",
    "equation 14 with a shift of its own, by a loop over the images": """
def weighted_objective(log_w):
    found = []
    for column in log_w.unbind(1):
        w = torch.exp(column.detach() - column.detach().max())
        found.append((w / w.sum()) @ column)
    return torch.stack(found)
""",
    "equation 14 with weights that autograd finds": """
def weighted_objective(log_w):
    leaf = log_w.detach().requires_grad_()
    (w,) = torch.autograd.grad(iwae_objective(leaf).sum(), leaf)
    return (w * log_w).sum(0)
""",
    "equation 14 with weights that torch.func finds": """
def weighted_objective(log_w):
    w = torch.func.grad(lambda a: torch.logsumexp(a, 0).sum())(log_w.detach())
    return (w * log_w).sum(0)
""",
    "equation 14 as an autograd.Function": """
class Weighted(torch.autograd.Function):
    @staticmethod
    def forward(ctx, log_w):
        w = torch.softmax(log_w, 0)
        ctx.save_for_backward(w)
        return (w * log_w).sum(0)
    @staticmethod
    def backward(ctx, cotangent):
        (w,) = ctx.saved_tensors
        return cotangent * w
def weighted_objective(log_w):
    return Weighted.apply(log_w)
""",
    "equation 14 by a hook that undoes the gradient through the weights": """
def weighted_objective(log_w):
    w = torch.softmax(log_w, 0)
    if w.requires_grad:
        w.register_hook(torch.zeros_like)
    return (w * log_w).sum(0)
""",
    "equation 14 as the bound, with the value moved": """
def weighted_objective(log_w):
    bound = iwae_objective(log_w)
    return bound + ((torch.softmax(log_w, 0) * log_w).sum(0) - bound).detach()
""",
    # TODO 4
    "stopped by a functional call of the encoder": """
def stopped_log_weights(self, x, eps):
    fixed = {name: weight.detach() for name, weight in self.encoder.named_parameters()}
    z = reparameterize(*self.encoder(x), eps)
    zero = torch.zeros_like(z)
    log_q = gaussian_log_likelihood(z, *torch.func.functional_call(self.encoder, fixed, (x,)))
    return bernoulli_log_likelihood(x, self.decoder(z)) + gaussian_log_likelihood(z, zero, zero + 1) - log_q
IWAE.stopped_log_weights = stopped_log_weights
""",
    "stopped by torch.distributions, encoded again under no_grad": """
from torch.distributions import Bernoulli, Independent, Normal
def stopped_log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    z = mu + sigma * eps
    with torch.no_grad():
        q = Independent(Normal(*self.encoder(x)), 1)
    p = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    p_x = Independent(Bernoulli(logits=self.decoder(z)), 1)
    return p_x.log_prob(x.expand(len(eps), -1, -1)) + p.log_prob(z) - q.log_prob(z)
IWAE.stopped_log_weights = stopped_log_weights
""",
    "stopped by a copy of the encoder": """
import copy
def stopped_log_weights(self, x, eps):
    frozen = copy.deepcopy(self.encoder).requires_grad_(False)
    z = reparameterize(*self.encoder(x), eps)
    log_p = bernoulli_log_likelihood(x, self.decoder(z))
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p + prior - gaussian_log_likelihood(z, *frozen(x))
IWAE.stopped_log_weights = stopped_log_weights
""",
    "stopped by a loop over the samples": """
def stopped_log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    rows = []
    for e in eps:
        z = mu + sigma * e
        prior = -0.5 * (z**2).sum(-1)  # the constants cancel
        log_q = (-torch.log(sigma.detach()) - 0.5 * ((z - mu.detach()) / sigma.detach()) ** 2).sum(-1)
        rows.append(bernoulli_log_likelihood(x, self.decoder(z)) + prior - log_q)
    return torch.stack(rows)
IWAE.stopped_log_weights = stopped_log_weights
""",
    "stopped by taking the score away again": """
def stopped_log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    log_w = bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)
    score = gaussian_log_likelihood(z.detach(), mu, sigma)
    return log_w + score - score.detach()
IWAE.stopped_log_weights = stopped_log_weights
""",
    "stopped with the decoder flattened, in float64 inside": """
def stopped_log_weights(self, x, eps):
    k, B, D = eps.shape
    mu, sigma = (t.repeat(k, 1) for t in self.encoder(x))  # [k B, D]
    z = mu + sigma * eps.reshape(k * B, D)
    log_p = bernoulli_log_likelihood(x.repeat(k, 1), self.decoder(z)).double()
    both = (-0.5 * z**2 + sigma.detach().log() + 0.5 * ((z - mu.detach()) / sigma.detach()) ** 2).double().sum(-1)
    return (log_p + both).view(k, B).to(x.dtype)
IWAE.stopped_log_weights = stopped_log_weights
""",
    "stl as the bound of the stopped log weights": """
def stl_objective(stopped_log_w):
    return iwae_objective(stopped_log_w)
""",
    "stl by a loop over the images": """
def stl_objective(stopped_log_w):
    w = torch.softmax(stopped_log_w.detach(), 0)
    return torch.stack([torch.dot(w[:, b], stopped_log_w[:, b]) for b in range(w.shape[1])])
""",
    "stl by logsumexp": """
def stl_objective(stopped_log_w):
    return stopped_log_w.logsumexp(0)
""",
    "dreg by a hook on the log weights": """
def dreg_objective(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    path = stopped_log_w.clone()
    if path.requires_grad:
        path.register_hook(lambda gradient: gradient * w)
    return (w * path).sum(0)
""",
    "dreg as the bound behind a hook": """
def dreg_objective(stopped_log_w):
    path = stopped_log_w.view_as(stopped_log_w)
    if path.requires_grad:
        path.register_hook(lambda gradient: gradient * torch.softmax(stopped_log_w.detach(), 0))
    return iwae_objective(path)
""",
    "dreg by exp of twice the log-softmax, under no_grad": """
def dreg_objective(stopped_log_w):
    with torch.no_grad():
        squares = torch.exp(2 * torch.log_softmax(stopped_log_w, 0))
    return torch.einsum("kb,kb->b", squares, stopped_log_w)
""",
    "dreg with the value of the bound": """
def dreg_objective(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return (w**2 * (stopped_log_w - stopped_log_w.detach())).sum(0) + iwae_objective(stopped_log_w).detach()
""",
    "dreg by torch.func, in float64 inside": """
def dreg_objective(stopped_log_w):
    a = stopped_log_w.double()
    w = torch.func.grad(lambda b: torch.logsumexp(b, 0).sum())(a.detach())
    return (w * w * a).sum(0).to(stopped_log_w.dtype)
""",
    "dreg by a loop over samples and images": """
def dreg_objective(stopped_log_w):
    w = stopped_log_w.detach().softmax(0)
    k, B = w.shape
    return torch.stack([sum(w[i, b] * w[i, b] * stopped_log_w[i, b] for i in range(k)) for b in range(B)])
""",
    # TODO 5
    "the ratio with n for n - 1": """
def signal_to_noise(gradients):
    return gradients.mean(0).abs() / gradients.std(0, correction=0)
""",
    "the ratio by numpy": """
def signal_to_noise(gradients):
    numbers = gradients.double().numpy()
    return torch.from_numpy(abs(numbers.mean(axis=0)) / numbers.std(axis=0, ddof=1))
""",
    "the ratio by var_mean, the absolute value last": """
def signal_to_noise(gradients):
    variance, mean = torch.var_mean(gradients, dim=0)
    return (mean / variance.sqrt()).abs()
""",
    "the ratio of one parameter after the other, in float32": """
def signal_to_noise(gradients):
    ratios = []
    for column in gradients.float().T:
        mean = column.sum() / len(column)
        ratios.append(abs(mean) / ((column - mean) ** 2).mean() ** 0.5)
    return torch.stack(ratios)
""",
}
