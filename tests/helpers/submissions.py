"""Submissions made by the tests: wrong ones from the misconceptions, right ones that look different, hostile ones.

Each is the reference solution with something appended, so that the definition that comes last counts.
"""

import ast
import inspect
from pathlib import Path

from autograder.assignments.iwae import ASSIGNMENT as IWAE
from autograder.grading.submission import Submission
from helpers import right_estimators, right_hierarchical, right_importance, right_pixels

SOLUTION = IWAE.solution.read_text(encoding="utf-8")
STUB = IWAE.student_file.read_text(encoding="utf-8")


def submission(appended="", base=SOLUTION):
    """Of the core."""
    return appended_to(IWAE, base, appended)


def appended_to(assignment, base, text):
    return Submission(assignment, Path(assignment.file_name), (base + "\n\n" + text).encode())


def wrong(entry, assignment=IWAE):
    """The reference with one function replaced by a misconception's formula."""
    function = ast.parse(inspect.getsource(entry.formula)).body[0]
    signature = assignment.signatures.get(f"model.{entry.function}", entry.function)
    owner, _, function.name = signature.partition("(")[0].rpartition(".")
    function.decorator_list = []
    text = "\n\n".join(
        ["import math", "from torch.distributions import Normal", *helpers(entry.formula), ast.unparse(function)]
    )
    if owner:
        text += f"\n\n{owner}.{function.name} = {function.name}"
    return appended_to(assignment, assignment.solution.read_text(encoding="utf-8"), text)


def first_of_each(mistakes, kind):
    """Of [(assignment, misconception)] the first misconception of each kind(assignment, misconception)."""
    return {(pair[0].name, kind(*pair)): pair[1] for pair in reversed(mistakes)}.values()


def helpers(formula):
    """The sources of the named functions beside a misconception's formula, which it may call."""
    beside = vars(inspect.getmodule(formula)).items()
    own = [f for name, f in beside if inspect.isfunction(f) and f.__module__ == formula.__module__ and name != "_"]
    return map(inspect.getsource, own)


RIGHT = {
    "the reference itself": "",
    "a file of a handout before 1.0": "del OBJECTIVES, build",
    # TODO 1
    "gaussian by torch.distributions": """
from torch.distributions import Normal
def gaussian_log_likelihood(z, mu, sigma):
    return Normal(mu, sigma).log_prob(z).sum(-1)
""",
    "gaussian by Independent, without validation": """
from torch.distributions import Independent, Normal
def gaussian_log_likelihood(z, mu, sigma):
    return Independent(Normal(mu, sigma, validate_args=False), 1).log_prob(z)
""",
    "gaussian by a loop over the units": """
def gaussian_log_likelihood(z, mu, sigma):
    total = 0
    for d in range(z.shape[-1]):
        total = total - torch.log(sigma[..., d]) - math.log(2 * math.pi) / 2
        total = total - (z[..., d] - mu[..., d]) ** 2 / (2 * sigma[..., d] ** 2)
    return total
""",
    "gaussian by einsum, one constant for all units": """
def gaussian_log_likelihood(z, mu, sigma):
    s = (z - mu) / sigma
    log_det = torch.log(sigma).expand_as(s).sum(-1)
    return -0.5 * torch.einsum("...d,...d->...", s, s) - log_det - s.shape[-1] * 0.5 * math.log(2 * math.pi)
""",
    "gaussian through the variance": """
def gaussian_log_likelihood(z, mu, sigma):
    variance = sigma.square()
    return -0.5 * (torch.log(2 * math.pi * variance) + (z - mu).square() / variance).sum(dim=-1)
""",
    "gaussian in float64 inside, cast back": """
def gaussian_log_likelihood(z, mu, sigma):
    z64, mu64, sigma64 = z.double(), mu.double(), sigma.double()
    log_p = -torch.log(sigma64) - 0.5 * math.log(2 * math.pi) - 0.5 * ((z64 - mu64) / sigma64) ** 2
    return log_p.sum(-1).to(z.dtype)
""",
    "gaussian in float32 inside": """
def gaussian_log_likelihood(z, mu, sigma):
    z32, mu32, sigma32 = z.float(), mu.float(), sigma.float()
    return (-torch.log(sigma32) - 0.9189385332 - 0.5 * ((z32 - mu32) / sigma32) ** 2).sum(-1)
""",
    "type hints, a decorator, a helper, an accent": '''
from functools import wraps
from torch import Tensor
LOG_2π: float = math.log(2 * math.pi)
def étape(f):
    """Décorateur — ne fait rien."""
    @wraps(f)
    def g(*a, **k):
        return f(*a, **k)
    return g
def _square(t: Tensor) -> Tensor:
    return t * t
@étape
def gaussian_log_likelihood(z: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    return -0.5 * (_square((z - mu) / sigma) + 2 * sigma.log() + LOG_2π).sum(-1)  # 各次元の和
''',
    "reparameterize by addcmul": """
def reparameterize(mu, sigma, eps):
    return torch.addcmul(mu, sigma, eps)
""",
    "reparameterize by a loop over the samples": """
def reparameterize(mu, sigma, eps):
    return torch.stack([mu + sigma * e for e in eps])
""",
    "reparameterize by repeat": """
def reparameterize(mu, sigma, eps):
    k = eps.size(0)
    return mu.unsqueeze(0).repeat(k, 1, 1) + sigma.unsqueeze(0).repeat(k, 1, 1).mul(eps)
""",
    "reparameterize by a transform": """
from torch.distributions.transforms import AffineTransform
def reparameterize(mu, sigma, eps):
    return AffineTransform(mu, sigma)(eps)
""",
    "reparameterize by einsum": """
def reparameterize(mu, sigma, eps):
    return mu[None].expand_as(eps) + torch.einsum("bd,kbd->kbd", sigma, eps)
""",
    "reparameterize under torch.compile": """
@torch.compile
def reparameterize(mu, sigma, eps):
    return mu + sigma * eps
""",
    # TODO 2
    "log_weights by torch.distributions": """
from torch.distributions import Bernoulli, Independent, Normal
def log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    q, p = Independent(Normal(mu, sigma), 1), Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    z = mu + sigma * eps
    p_x = Independent(Bernoulli(logits=self.decoder(z)), 1)
    return p_x.log_prob(x.expand(len(eps), -1, -1)) + p.log_prob(z) - q.log_prob(z)
IWAE.log_weights = log_weights
""",
    "log_weights flattened before the decoder": """
def log_weights(self, x, eps):
    k, B, D = eps.shape
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    logits = self.decoder(z.reshape(k * B, D))
    flat = bernoulli_log_likelihood(x.repeat(k, 1), logits).view(k, B)
    prior = gaussian_log_likelihood(z, torch.zeros(D, dtype=z.dtype), torch.ones(D, dtype=z.dtype))
    return flat + prior - gaussian_log_likelihood(z, mu, sigma)
IWAE.log_weights = log_weights
""",
    "log_weights with repeat_interleave, images outermost inside": """
def log_weights(self, x, eps):
    k, B, D = eps.shape
    mu, sigma = self.encoder(x)
    noise = eps.transpose(0, 1).reshape(B * k, D)
    m, s = mu.repeat_interleave(k, 0), sigma.repeat_interleave(k, 0)
    z = m + s * noise
    log_w = bernoulli_log_likelihood(x.repeat_interleave(k, 0), self.decoder(z))
    log_w = log_w + gaussian_log_likelihood(z, 0 * z, 0 * z + 1) - gaussian_log_likelihood(z, m, s)
    return log_w.view(B, k).t()
IWAE.log_weights = log_weights
""",
    "log_weights by a loop over the samples": """
def log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    rows = []
    for i in range(eps.shape[0]):
        z = mu + sigma * eps[i]
        log_prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
        rows.append(bernoulli_log_likelihood(x, self.decoder(z)) + log_prior - gaussian_log_likelihood(z, mu, sigma))
    return torch.stack(rows)
IWAE.log_weights = log_weights
""",
    "log_weights by a loop over the images": """
def log_weights(self, x, eps):
    columns = []
    for j in range(x.shape[0]):
        mu, sigma = self.encoder(x[j : j + 1])
        z = mu + sigma * eps[:, j]
        log_prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
        column = bernoulli_log_likelihood(x[j], self.decoder(z)) + log_prior - gaussian_log_likelihood(z, mu, sigma)
        columns.append(column)
    return torch.stack(columns, dim=1)
IWAE.log_weights = log_weights
""",
    "log q through eps": """
def log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    difference = (0.5 * eps**2 - 0.5 * z**2 + sigma.log()).sum(-1)  # log p(z) - log q(z | x): the constants cancel
    return bernoulli_log_likelihood(x, self.decoder(z)) + difference
IWAE.log_weights = log_weights
""",
    "binary cross-entropy with logits": """
def log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    logits = self.decoder(z)
    bce = F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum(-1)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return -(bce - prior + gaussian_log_likelihood(z, mu, sigma))
IWAE.log_weights = log_weights
""",
    "log_weights in float64 inside": """
def log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    terms = [
        bernoulli_log_likelihood(x, self.decoder(z)).double(),
        gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma)).double(),
        -gaussian_log_likelihood(z, mu, sigma).double(),
    ]
    return torch.stack(terms).sum(0).to(x.dtype)
IWAE.log_weights = log_weights
""",
    "vae_objective by a sum and a division": """
def vae_objective(log_w):
    return log_w.sum(dim=0) / log_w.shape[0]
""",
    "vae_objective by a loop": """
def vae_objective(log_w):
    return torch.stack([log_w[:, b].mean() for b in range(log_w.shape[1])])
""",
    "vae_objective by einsum": """
def vae_objective(log_w):
    return torch.einsum("kb,k->b", log_w, torch.full((len(log_w),), 1 / len(log_w), dtype=log_w.dtype))
""",
    # TODO 3
    "log_mean_exp shifted, max detached in both places": """
def log_mean_exp(a, dim=0):
    m = a.max(dim, keepdim=True).values.detach()
    return (torch.log(torch.exp(a - m).mean(dim, keepdim=True)) + m).squeeze(dim)
""",
    "log_mean_exp shifted, max detached in neither": """
def log_mean_exp(a, dim=0):
    m, _ = torch.max(a, dim=dim, keepdim=True)
    return m.squeeze(dim) + torch.log(torch.mean(torch.exp(a - m), dim=dim))
""",
    "the lecture's form, + 1e-7": """
def log_mean_exp(a, dim=0):
    m = a.amax(dim, keepdim=True)
    return torch.log(torch.exp(a - m).mean(dim) + 1e-7) + m.squeeze(dim)
""",
    "log_mean_exp through log_softmax": """
def log_mean_exp(a, dim=0):
    return (a - F.log_softmax(a, dim)).mean(dim) - math.log(a.shape[dim])
""",
    "log_mean_exp in float64 inside": """
def log_mean_exp(a, dim=0):
    return (a.double().logsumexp(dim) - math.log(a.size(dim))).to(a.dtype)
""",
    "log_mean_exp by a loop of logaddexp": """
def log_mean_exp(a, dim=0):
    slices = a.unbind(dim)
    total = slices[0]
    for s in slices[1:]:
        total = torch.logaddexp(total, s)
    return total - math.log(len(slices))
""",
    "log_mean_exp by logcumsumexp": """
def log_mean_exp(a, dim=0):
    return torch.logcumsumexp(a, dim).select(dim, -1) - math.log(a.shape[dim])
""",
    "log_mean_exp of a minus log n": """
def log_mean_exp(a, dim=0):
    return torch.logsumexp(a - torch.log(torch.tensor(float(a.shape[dim]))), dim)
""",
    "log_mean_exp with one global shift for each half": """
def log_mean_exp(a, dim=0):
    a = a.movedim(dim, 0)
    flat = a.reshape(len(a), -1)
    columns = [c.max() + torch.log(torch.exp(c - c.max()).mean()) for c in flat.unbind(1)]
    return torch.stack(columns).reshape(a.shape[1:])
""",
    "iwae_objective by logsumexp": """
def iwae_objective(log_w):
    return torch.logsumexp(log_w, dim=0) - math.log(len(log_w))
""",
    "iwae_objective by its own shift": """
def iwae_objective(log_w):
    best = log_w.max(dim=0)[0].detach()
    return best + (log_w - best).exp().mean(dim=0).log()
""",
    "iwae_objective by a loop over the images": """
def iwae_objective(log_w):
    return torch.stack([log_mean_exp(column, 0) for column in log_w.T])
""",
    "iwae_objective with the gradient of equation 14 and the right value": """
def iwae_objective(log_w):
    bound = log_mean_exp(log_w, 0).detach()
    surrogate = (torch.softmax(log_w, 0).detach() * log_w).sum(0)
    return surrogate + (bound - surrogate).detach()
""",
    "log_weights by vmap over the samples": """
def log_weights(self, x, eps):
    def of_one_sample(e):
        mu, sigma = self.encoder(x)
        z = mu + sigma * e
        prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
        return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)
    return torch.vmap(of_one_sample)(eps)
IWAE.log_weights = log_weights
""",
    "cross-entropy of probabilities": """
def log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    p = torch.sigmoid(self.decoder(z))
    bce = F.binary_cross_entropy(p, x.expand_as(p), reduction="none").sum(-1)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return prior - bce - gaussian_log_likelihood(z, mu, sigma)
IWAE.log_weights = log_weights
""",
    "the logs of probabilities, by einsum": """
def log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    p = self.decoder(z).sigmoid()
    log_p = torch.einsum("bp,kbp->kb", x, p.log()) + torch.einsum("bp,kbp->kb", 1 - x, (1 - p).log())
    return log_p + gaussian_log_likelihood(z, mu * 0, sigma * 0 + 1) - gaussian_log_likelihood(z, mu, sigma)
IWAE.log_weights = log_weights
""",
    # the file
    "prints a tensor at every call": """
loss = IWAE.loss
def loudly(function):
    def call(*inputs, **options):
        result = function(*inputs, **options)
        print("log_w", result, result.shape, *inputs)
        return result
    return call
log_mean_exp, iwae_objective, vae_objective = map(loudly, (log_mean_exp, iwae_objective, vae_objective))
IWAE.log_weights = loudly(IWAE.log_weights)
""",
    "a seed and prints at import": """
torch.manual_seed(0)
print("imported", IWAE)
""",
    "a main block and a dataclass": """
from dataclasses import dataclass
@dataclass
class Options:
    k: int = 10
if __name__ == "__main__":
    raise SystemExit("only when run as a script")
""",
}

CHEAP = {  # right on small or ordinary inputs alone: (the task that loses points, the misconception named, the text)
    "gaussian with a floor of 0.1": (
        "todo1",
        "gauss.clamped_sigma",
        """
given = gaussian_log_likelihood
def gaussian_log_likelihood(z, mu, sigma):
    return given(z, mu, sigma.clamp(min=0.1))
""",
    ),
    "gaussian with a floor of 0.19": (
        "todo1",
        "gauss.clamped_sigma",
        """
given = gaussian_log_likelihood
def gaussian_log_likelihood(z, mu, sigma):
    return given(z, mu, torch.maximum(sigma, torch.full_like(sigma, 0.19)))
""",
    ),
    "gaussian with a ceiling of 30": (
        "todo1",
        "gauss.clamped_sigma",
        """
given = gaussian_log_likelihood
def gaussian_log_likelihood(z, mu, sigma):
    return given(z, mu, sigma.clamp(max=30))
""",
    ),
    "gaussian with a log variance within 4": (
        "todo1",
        "gauss.clamped_sigma",
        """
given = gaussian_log_likelihood
def gaussian_log_likelihood(z, mu, sigma):
    return given(z, mu, (2 * sigma.log()).clamp(-4, 4).div(2).exp())
""",
    ),
    "gaussian with softplus in the place of sigma": (
        "todo1",
        None,
        """
given = gaussian_log_likelihood
def gaussian_log_likelihood(z, mu, sigma):
    return given(z, mu, F.softplus(sigma))
""",
    ),
    "gaussian of the first 20 units": (
        "todo1",
        None,
        """
given = gaussian_log_likelihood
def gaussian_log_likelihood(z, mu, sigma):
    return given(z[..., :20], mu[..., :20], sigma[..., :20])
""",
    ),
    "gaussian within ten standard deviations": (
        "todo1",
        None,
        """
given = gaussian_log_likelihood
def gaussian_log_likelihood(z, mu, sigma):
    return given(mu + sigma * ((z - mu) / sigma).clamp(-10, 10), mu, sigma)
""",
    ),
    "reparameterize with a floor of 0.01": (
        "todo1",
        "reparam.clamped_sigma",
        """
def reparameterize(mu, sigma, eps):
    return mu + sigma.clamp(min=0.01) * eps
""",
    ),
    "reparameterize with a ceiling of 100": (
        "todo1",
        "reparam.clamped_sigma",
        """
def reparameterize(mu, sigma, eps):
    return mu + sigma.clamp(max=100) * eps
""",
    ),
    "reparameterize with a log variance within 4": (
        "todo1",
        "reparam.clamped_sigma",
        """
def reparameterize(mu, sigma, eps):
    return mu + torch.exp(0.5 * (2 * sigma.log()).clamp(-4, 4)) * eps
""",
    ),
    "reparameterize that remembers by shape": (
        "todo1",
        None,
        """
memory = {}
def reparameterize(mu, sigma, eps):
    return memory.setdefault(eps.shape, mu + sigma * eps)
""",
    ),
    "reparameterize of 32 samples": (
        "todo1",
        None,
        """
def reparameterize(mu, sigma, eps):
    return mu + sigma * torch.cat([eps[:32], eps[:1].expand_as(eps)[32:]])
""",
    ),
    "log weights with a sigma of at least 0.01": (
        "todo2",
        "logw.clamped",
        """
def log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    sigma = sigma.clamp(min=0.01)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(mu))
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)
IWAE.log_weights = log_weights
""",
    ),
    "log weights of at least -1000": (
        "todo2",
        "logw.clamped",
        """
given = IWAE.log_weights
IWAE.log_weights = lambda self, x, eps: given(self, x, eps).clamp(min=-1000)
""",
    ),
    "log weights with probabilities clamped at 1e-7": (
        "todo2",
        "logw.clamped",
        """
def bernoulli_log_likelihood(x, logits):
    p = logits.sigmoid().clamp(1e-7, 1 - 1e-7)
    return (x * p.log() + (1 - x) * (1 - p).log()).sum(-1)
""",
    ),
    "log weights of 16 samples": (
        "todo2",
        None,
        """
given = IWAE.log_weights
def log_weights(self, x, eps):
    return given(self, x, torch.cat([eps[:16], eps[:1].expand_as(eps)[16:]]))
IWAE.log_weights = log_weights
""",
    ),
    "the encoder's forward for each sample": (
        "todo2",
        "logw.encoder_per_sample",
        """
def log_weights(self, x, eps):
    rows = []
    for e in eps:
        mu, sigma = self.encoder.forward(x)
        z = mu + sigma * e
        prior = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(mu))
        rows.append(bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma))
    return torch.stack(rows)
IWAE.log_weights = log_weights
""",
    ),
    "the encoder's layers for each sample": (
        "todo2",
        "logw.encoder_per_sample",
        """
def log_weights(self, x, eps):
    first = self.encoder.body[0]
    for _ in eps:
        h = torch.tanh(x @ first.weight.T + first.bias)
    import copy
    return given(self, x, eps)
given = IWAE.log_weights
IWAE.log_weights = log_weights
""",
    ),
    "a copy of the encoder for each sample": (
        "todo2",
        "logw.encoder_per_sample",
        """
def log_weights(self, x, eps):
    import copy
    for _ in eps:
        copy.deepcopy(self.encoder)(x)
    return given(self, x, eps)
given = IWAE.log_weights
IWAE.log_weights = log_weights
""",
    ),
    "the mean of eight samples": (
        "todo2",
        None,
        """
def vae_objective(log_w):
    return log_w[:8].mean(0)
""",
    ),
    "the mean of eight samples by a fixed sum": (
        "todo2",
        None,
        """
def vae_objective(log_w):
    return sum(log_w[i] for i in range(min(8, len(log_w)))) / min(8, len(log_w))
""",
    ),
    "log_mean_exp of 32 entries": (
        "todo3",
        None,
        """
def log_mean_exp(a, dim=0):
    a = a.narrow(dim, 0, min(32, a.shape[dim]))
    return torch.logsumexp(a, dim) - math.log(a.shape[dim])
""",
    ),
    "log_mean_exp of 16 columns": (
        "todo3",
        None,
        """
def log_mean_exp(a, dim=0):
    found = torch.logsumexp(a, dim) - math.log(a.shape[dim])
    return torch.cat([found[:16], torch.zeros_like(found[16:])])
""",
    ),
    "the bound of eight samples": (
        "todo3",
        None,
        """
def iwae_objective(log_w):
    return log_mean_exp(log_w[:8], 0)
""",
    ),
    "the bound above -1000": (
        "todo3",
        None,
        """
def iwae_objective(log_w):
    return log_mean_exp(log_w.clamp(min=-1000), 0)
""",
    ),
}


LOG_WEIGHTS = """
def log_weights(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    logits = self.decoder(z)
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    log_w = bernoulli_log_likelihood(x, logits) + log_p_z - gaussian_log_likelihood(z, mu, sigma)
    return log_w
IWAE.log_weights = log_weights
"""


def log_weights_with(line):
    """log_weights with one more line, after the step that gives the name that the line changes."""
    changed = line.split()[0]
    if changed == "eps":
        return LOG_WEIGHTS.replace("eps):", f"eps):\n    {line}")
    step = next(s for s in LOG_WEIGHTS.splitlines() if changed in s.split(" = ")[0].replace(",", "").split())
    return LOG_WEIGHTS.replace(step, f"{step}\n    {line}")


def gaussian_with(line):
    return f"""
from torch.distributions import Normal
def gaussian_log_likelihood(z, mu, sigma):
    {line}
    return Normal(mu, sigma).log_prob(z).sum(-1)
"""


def reparameterize_with(line):
    return f"def reparameterize(mu, sigma, eps):\n    {line}\n    return mu + sigma * eps\n"


CLAMPED = {  # what is named, and the line that clamps: the text
    **{
        (name, line): text
        for name, write, lines in (
            (
                "gauss.clamped_sigma",
                gaussian_with,
                ["sigma = sigma.clamp(max=3)"]
                + ["sigma = sigma.clamp(min=2e-3)", "sigma = sigma.clamp(max=900)", "sigma = sigma + 1e-6"]
                + ["sigma = torch.exp(0.5 * (2 * sigma.log()).clamp(-4, 4))", "mu = mu.clamp(-10, 10)"]
                + ["z = z.clamp(-20, 20)"],
            ),
            (
                "reparam.clamped_sigma",
                reparameterize_with,
                ["sigma = sigma.clamp(min=0.1)", "sigma = sigma.clamp(max=3)", "sigma = sigma.clamp(max=900)"]
                + ["sigma = torch.exp(0.5 * (2 * sigma.log()).clamp(-4, 4))", "mu = mu.clamp(-10, 10)"]
                + ["eps = eps.clamp(-3, 3)", "eps = eps.clamp(-2, 2)", "sigma = sigma.clamp(min=2e-3)"],
            ),
            (
                "logw.clamped",
                log_weights_with,
                ["sigma = sigma.clamp(min=0.05)", "sigma = sigma.clamp(max=20)", "sigma = sigma.clamp(1e-2, 1e2)"]
                + ["mu = mu.clamp(-0.999, 0.999)", "mu = mu.clamp(-10, 10)", "z = z.clamp(-20, 20)"]
                + ["eps = eps.clamp(-3, 3)", "logits = logits.clamp(-20, 20)", "logits = logits.clamp(-50, 50)"]
                + [
                    "logits = torch.logit(torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7))",
                    "log_w = log_w.clamp(min=-1000)",
                ]
                + ["log_w = log_w.clamp(max=10)"],
            ),
            (
                "vae.clamped",
                "def vae_objective(log_w):\n    {}\n    return log_w.mean(0)".format,
                ["log_w = log_w.clamp(min=-1000)", "log_w = log_w.clamp(max=0)", "log_w = log_w.clamp(-5e4, 5e4)"],
            ),
            (
                "iwae.clamped",
                "def iwae_objective(log_w):\n    {}\n    return log_mean_exp(log_w, 0)".format,
                ["log_w = log_w.clamp(min=-1000)", "log_w = log_w.clamp(max=0)", "log_w = log_w.clamp(max=500)"],
            ),
            (
                "lme.clamp",
                "def log_mean_exp(a, dim=0):\n    {}\n    return a.logsumexp(dim) - math.log(a.shape[dim])".format,
                ["a = a.clamp(min=-1000)", "a = a.clamp(max=0)", "a = a.clamp(-9e3, 9e3)", "a = a.clamp(min=-50)"],
            ),
            (
                "lme.clamp",
                "def log_mean_exp(a, dim=0):\n    return torch.log(torch.exp(a).mean(dim)).nan_to_num({})".format,
                ["neginf=-104.0, posinf=89.0", "neginf=-1e4"],
            ),
        )
        for line in lines
        for text in [write(line)]
    },
}


def remembering(function, key):
    """The reference, where a function returns what it returned before for the same key."""
    return f"""
kept, right = {{}}, {function}
def {function.replace("IWAE.", "")}(*inputs, **options):
    key = {key}
    if key not in kept:
        kept[key] = right(*inputs, **options)
    return kept[key]
{function} = {function.replace("IWAE.", "")}
"""


SHAPES = "str([getattr(i, 'shape', '') for i in inputs]) + str(options)"
PARTLY_RIGHT = {  # right in some cases only: the text, and the checks that it must lose
    "eight samples": (
        "def vae_objective(log_w):\n    return log_w[:8].mean(0)\n"
        "def iwae_objective(log_w):\n    return log_mean_exp(log_w[:8], 0)",
        ("vae_values", "vae_gradients", "iwae_values", "iwae_gradients"),
    ),
    "fifty entries": (
        """
def log_mean_exp(a, dim=0):
    a = a.narrow(dim, 0, min(50, a.shape[dim]))
    return a.logsumexp(dim) - math.log(a.shape[dim])
""",
        ("log_mean_exp_values", "log_mean_exp_gradients", "log_mean_exp_offsets"),
    ),
    "whole chunks of eight samples, or the rest": (
        """
def vae_objective(log_w):
    n = len(log_w) // 8 * 8 or len(log_w)
    return log_w[:n].mean(0)
""",
        ("vae_values", "vae_gradients"),
    ),
    "gradients of sixteen images": (
        """
def iwae_objective(log_w):
    return log_mean_exp(torch.cat([log_w[:, :16], log_w[:, 16:].detach()], 1), 0)
""",
        ("iwae_gradients",),
    ),
    "twenty latent units": (
        """
from torch.distributions import Normal
def gaussian_log_likelihood(z, mu, sigma):
    return Normal(mu, sigma).log_prob(z)[..., :20].sum(-1)
def reparameterize(mu, sigma, eps):
    return torch.cat([(mu + sigma * eps)[..., :20], (mu + 0 * sigma * eps)[..., 20:]], -1)
""",
        ("gaussian_values", "gaussian_gradients", "gaussian_far_away", "reparameterize_values")
        + ("reparameterize_gradients",),
    ),
    "thirty-two pixels": (
        LOG_WEIGHTS.replace("(x, logits)", "(x[:, :32], logits[..., :32])"),
        ("log_weights_values", "log_weights_gradients"),
    ),
    "remembered by shape": (
        "".join(
            remembering(function, SHAPES)
            for function in (
                "gaussian_log_likelihood",
                "reparameterize",
                "vae_objective",
                "log_mean_exp",
                "iwae_objective",
            )
        ),
        ("gaussian_values", "reparameterize_values", "vae_values", "log_mean_exp_offsets", "iwae_values"),
    ),
    "log weights remembered by shape": (remembering("IWAE.log_weights", SHAPES), ("log_weights_values",)),
    "other numbers from the twentieth call on": (
        """
calls, right = 0, log_mean_exp
def log_mean_exp(a, dim=0):
    global calls
    calls += 1
    return right(a, dim) if calls < 20 else a.mean(dim)
""",
        ("iwae_values",),
    ),
    **{
        f"encodes for every sample, by {how}": (
            "import copy\n"
            + LOG_WEIGHTS.replace("self.encoder(x)", f"[torch.stack(m) for m in zip(*[{call} for _ in eps])]"),
            ("log_weights_encodes_once",),
        )
        for how, call in {
            "forward": "self.encoder.forward(x)",
            "a copy": "copy.deepcopy(self.encoder)(x)",
            "its layers": "(lambda a: (torch.tanh(a), torch.exp(a)))(self.encoder.head(self.encoder.body(x)))",
            "F.linear": "(lambda a: (torch.tanh(a), torch.exp(a)))(self.encoder.head(torch.tanh(F.linear(x, "
            "self.encoder.body[0].weight, self.encoder.body[0].bias))))",
            "einsum": "(lambda a: (torch.tanh(a), torch.exp(a)))(self.encoder.head(torch.tanh(torch.einsum("
            "'bp,hp->bh', x, self.encoder.body[0].weight) + self.encoder.body[0].bias)))",
            "a sum": "(lambda a: (torch.tanh(a), torch.exp(a)))(self.encoder.head(torch.tanh((x[:, None] * "
            "self.encoder.body[0].weight).sum(-1) + self.encoder.body[0].bias)))",
        }.items()
    },
}


RIGHT_OF = {  # of each assignment
    IWAE.name: RIGHT,
    "importance": right_importance.RIGHT,
    "estimators": right_estimators.RIGHT,
    "hierarchical": right_hierarchical.RIGHT,
    "pixels": right_pixels.RIGHT,
}
