"""Right answers to the lab `pixels` that look different, each appended to the reference."""

PIXELCNN = """
def discretized_logistic(x, mu, log_s):
    centred, inv_stdv = x - mu, torch.exp(-log_s)
    plus_in, min_in = inv_stdv * (centred + 0.5), inv_stdv * (centred - 0.5)
    cdf_delta = torch.sigmoid(plus_in) - torch.sigmoid(min_in)
    mid_in = inv_stdv * centred
    log_pdf_mid = mid_in - log_s - 2 * F.softplus(mid_in)
    inside = torch.where(cdf_delta > 1e-5, torch.log(cdf_delta.clamp(min=1e-12)), log_pdf_mid)
    return torch.where(x < 0.001, plus_in - F.softplus(plus_in), torch.where(x > 254.999, -F.softplus(min_in), inside))
"""

RIGHT = {
    "the reference itself": "",
    # TODO 1
    "the form of PixelCNN++": PIXELCNN,
    "the form of PixelCNN++, in units from -1 to 1": """
def discretized_logistic(x, mu, log_s):
    x, mu, log_s = x / 127.5 - 1, mu / 127.5 - 1, log_s - math.log(127.5)
    centred, inv_stdv = x - mu, torch.exp(-log_s)
    plus_in, min_in = inv_stdv * (centred + 1 / 255), inv_stdv * (centred - 1 / 255)
    cdf_delta = torch.sigmoid(plus_in) - torch.sigmoid(min_in)
    mid_in = inv_stdv * centred
    log_pdf_mid = mid_in - log_s - 2 * F.softplus(mid_in)
    inside = torch.where(cdf_delta > 1e-5, torch.log(cdf_delta.clamp(min=1e-12)), log_pdf_mid - math.log(127.5))
    return torch.where(
        x < -0.999, plus_in - F.softplus(plus_in), torch.where(x > 0.999, -F.softplus(min_in), inside)
    )
""",
    "in units from 0 to 1, by softplus": """
def discretized_logistic(x, mu, log_s):
    x, mu, scale = x * 255 / 256 / 255 + 1 / 512, mu / 256 + 1 / 512, torch.exp(log_s) / 256
    above, below = (x + 1 / 512 - mu) / scale, (x - 1 / 512 - mu) / scale
    inside = -F.softplus(-above) - F.softplus(below) + torch.log1p(-torch.exp(-1 / (256 * scale)))
    inside = torch.where(x < 1 / 256, -F.softplus(-above), inside)
    return torch.where(x > 255 / 256, -F.softplus(below), inside)
""",
    "ends of bins at infinity": """
def discretized_logistic(x, mu, log_s):
    x, mu, log_s = torch.broadcast_tensors(x, mu, log_s)
    above = torch.where(x == 255, math.inf, (x + 0.5 - mu) * torch.exp(-log_s))
    below = torch.where(x == 0, -math.inf, (x - 0.5 - mu) * torch.exp(-log_s))
    return F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(below - above))
""",
    "the difference of two sigmoids, on the side where they are small": """
def log_sub_exp(a, b):
    return a + torch.log(-torch.expm1(b - a))
def discretized_logistic(x, mu, log_s):
    s = log_s.exp()
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    is_right = x > mu
    high, low = torch.where(is_right, -below, above), torch.where(is_right, -above, below)
    inside = log_sub_exp(F.logsigmoid(high), F.logsigmoid(low))
    inside = torch.where(x > 254.5, F.logsigmoid(-below), inside)
    return torch.where(x < 0.5, F.logsigmoid(above), inside)
""",
    "filled in by masks, in float64": """
def discretized_logistic(x, mu, log_s):
    x, mu, log_s = torch.broadcast_tensors(x.double(), mu.double(), log_s.double())
    s = log_s.exp()
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    result = F.logsigmoid(above) - F.softplus(below) + torch.log(1 - torch.exp(-1 / s))
    result = result.masked_scatter(x == 0, F.logsigmoid(above[x == 0]))
    return result.masked_scatter(x == 255, F.logsigmoid(-below[x == 255]))
""",
    "by hyperbolic functions in logarithms": """
def discretized_logistic(x, mu, log_s):
    s = torch.exp(log_s)
    t, h = (x - mu).abs() / s, 1 / (2 * s)
    log_2_sinh = h + torch.log(-torch.expm1(-2 * h))
    log_2_cosh_sum = torch.logaddexp(torch.logaddexp(t, -t), torch.logaddexp(h, -h))
    inside = log_2_sinh - log_2_cosh_sum
    edge = torch.where(x == 0, (0.5 - mu) / s, (mu - 254.5) / s)
    return torch.where((x == 0) | (x == 255), -F.softplus(-edge), inside)
""",
    "a loop over the numbers": """
def discretized_logistic(x, mu, log_s):
    x, mu, log_s = torch.broadcast_tensors(x, mu, log_s)
    numbers = []
    for level, m, ls in zip(x.flatten(), mu.flatten(), log_s.flatten()):
        above, below = (level + 0.5 - m) / ls.exp(), (level - 0.5 - m) / ls.exp()
        if level == 0:
            numbers.append(F.logsigmoid(above))
        elif level == 255:
            numbers.append(F.logsigmoid(-below))
        else:
            numbers.append(F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-(-ls).exp())))
    return torch.stack(numbers).view(x.shape)
""",
    "in float32": """
def discretized_logistic(x, mu, log_s):
    x, mu, log_s = x.float(), mu.float(), log_s.float()
    above, below = (x + 0.5 - mu) / log_s.exp(), (x - 0.5 - mu) / log_s.exp()
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / log_s.exp()))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))
""",
    "the form of PixelCNN++, in float32": PIXELCNN.replace(
        "s):\n", "s):\n    x, mu, log_s = x.float(), mu.float(), log_s.float()\n", 1
    ),
    "bits in steps": """
def bits_per_dim(nll, n):
    return nll / n / torch.log(torch.tensor(2.0, dtype=nll.dtype))
""",
    "bits by numpy": """
import numpy as np
def bits_per_dim(nll, n):
    return torch.as_tensor(nll.numpy() * np.log2(np.e) / n)
""",
    # TODO 2
    "a loop over the logistics, by logaddexp": """
def mixture_log_likelihood(x, logits, mu, log_s):
    log_pi, total = F.log_softmax(logits, dim=-1), None
    for m in range(mu.shape[-1]):
        term = log_pi[..., m] + discretized_logistic(x, mu[..., m], log_s[..., m])
        total = term if total is None else torch.logaddexp(total, term)
    return total
""",
    "weights by hand, after a shift": """
def mixture_log_likelihood(x, logits, mu, log_s):
    pi = torch.exp(logits) / torch.exp(logits).sum(-1, keepdim=True)
    log_p = discretized_logistic(x[..., None], mu, log_s)
    c = log_p.max(-1, keepdim=True).values.detach()
    return torch.log(torch.einsum("...m,...m->...", pi.expand_as(log_p), torch.exp(log_p - c))) + c.squeeze(-1)
""",
    "normalised after the sum": """
def mixture_log_likelihood(x, logits, mu, log_s):
    log_p = discretized_logistic(x.unsqueeze(-1), mu, log_s)
    return torch.logsumexp(logits + log_p, -1) - torch.logsumexp(logits, -1)
""",
    "all of PixelCNN++ in the mixture": PIXELCNN.replace("discretized_logistic", "logistic")
    + """
def mixture_log_likelihood(x, logits, mu, log_s):
    return torch.logsumexp(torch.log_softmax(logits, -1) + logistic(x[..., None], mu, log_s), -1)
""",
    "the mixture by torch.distributions, in float64": """
from torch.distributions import Categorical
def mixture_log_likelihood(x, logits, mu, log_s):
    log_p = discretized_logistic(x[..., None].double(), mu.double(), log_s.double())
    return (Categorical(logits=logits.double()).logits + log_p).logsumexp(dim=-1)
""",
    "samples by torch.logit and floor": """
def sample_logistic(mu, log_s, u):
    return torch.clamp(torch.floor(mu + log_s.exp() * torch.logit(u) + 0.5), 0, 255)
""",
    "samples by scipy": """
from scipy.stats import logistic
def sample_logistic(mu, log_s, u):
    t = logistic.ppf(u.numpy(), loc=mu.numpy(), scale=np.exp(log_s.numpy()))
    return torch.as_tensor(np.clip(np.rint(t), 0, 255))
import numpy as np
""",
    "samples by the odds, clipped first, in float32": """
def sample_logistic(mu, log_s, u):
    mu, log_s, u = mu.float(), log_s.float(), u.float()
    return (mu - log_s.exp() * torch.log(1 / u - 1)).clamp(0, 255).round()
""",
    "samples by torch.distributions": """
from torch.distributions import AffineTransform, SigmoidTransform, TransformedDistribution, Uniform
def sample_logistic(mu, log_s, u):
    uniform = Uniform(torch.zeros_like(mu), torch.ones_like(mu))
    logistic = TransformedDistribution(uniform, [SigmoidTransform().inv, AffineTransform(mu, log_s.exp())])
    return logistic.icdf(u).round().clamp(0, 255)
""",
    # TODO 3
    "log weights by torch.distributions": """
from torch.distributions import Independent, Normal
def log_weights(self, x, eps):
    q = Normal(*self.encoder(x))
    z = q.loc + q.scale * eps
    p = Independent(Normal(torch.zeros_like(z), 1.0), 1)
    return mixture_log_likelihood(x, *self.decoder(z)).flatten(2).sum(-1) + p.log_prob(z) - q.log_prob(z).sum(-1)
PixelVAE.log_weights = log_weights
""",
    "log weights by loops over samples and images": """
def log_weights(self, x, eps):
    rows = []
    for e in eps:
        row = []
        for image, noise in zip(x.split(1), e.split(1)):
            mu, sigma = self.encoder(image)
            z = mu + sigma * noise
            log_p = mixture_log_likelihood(image, *self.decoder(z[None])).sum()
            row.append(log_p + (0.5 * noise**2 - 0.5 * z**2 + torch.log(sigma)).sum())
        rows.append(torch.stack(row))
    return torch.stack(rows)
PixelVAE.log_weights = log_weights
""",
    "log weights of copied images, dimension by dimension": """
def log_weights(self, x, eps):
    k, B, D = eps.shape
    mu, sigma = (m.view(k, B, D) for m in self.encoder(x.repeat(k, 1, 1, 1)))
    z = mu + sigma * eps
    logits, centres, log_s = self.decoder(z)
    images = x.expand(k, *x.shape)
    log_p = sum(
        mixture_log_likelihood(images[:, :, c], logits[:, :, c], centres[:, :, c], log_s[:, :, c]).sum((2, 3))
        for c in range(x.shape[1])
    )
    log_p = log_p - gaussian_log_likelihood(z, mu, sigma)
    return log_p + gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
PixelVAE.log_weights = log_weights
""",
    "log weights without the helpers": """
def log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    z = mu + sigma * eps
    logits, centres, log_s = self.decoder(z)
    s = log_s.exp()
    above, below = (x[..., None] + 0.5 - centres) / s, (x[..., None] - 0.5 - centres) / s
    log_p = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    log_p = torch.where(x[..., None] == 0, F.logsigmoid(above), log_p)
    log_p = torch.where(x[..., None] == 255, F.logsigmoid(-below), log_p)
    log_p = torch.logsumexp(F.log_softmax(logits, -1) + log_p, -1).sum([2, 3, 4])
    return log_p - (z**2).sum(-1) / 2 + (eps**2 / 2 + sigma.log()).sum(-1)
PixelVAE.log_weights = log_weights
""",
}
