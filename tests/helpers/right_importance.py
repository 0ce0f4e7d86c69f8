"""Right answers to the lab `importance` that look different, each appended to the reference."""

RIGHT = {
    "the reference itself": "",
    # TODO 1
    "the longest of the five paths": """
def project_duration(t):
    paths = [[0, 1, 3, 9], [0, 1, 4, 8, 9], [0, 2, 5, 8, 9], [0, 2, 6, 8, 9], [0, 2, 7, 9]]
    return torch.stack([t[:, path].sum(1) for path in paths]).max(0).values
""",
    "a loop over the projects": """
def project_duration(t):
    durations = []
    for row in t.tolist():
        ends = []
        for task, before in enumerate(PREDECESSORS):
            ends.append(max([ends[i] for i in before], default=0) + row[task])
        durations.append(ends[-1])
    return torch.tensor(durations)
""",
    "pairwise maxima by recursion, in float32": """
def end(task, t):
    begins = torch.zeros(len(t))
    for i in PREDECESSORS[task]:
        begins = torch.maximum(begins, end(i, t))
    return begins + t[:, task]
def project_duration(t):
    return end(9, t.float())
""",
    "filled in place, from the constants": """
def project_duration(t):
    ends = torch.zeros_like(t)
    for task, before in enumerate(PREDECESSORS):
        ends[:, task] = t[:, task]
        if before:
            ends[:, task] += ends[:, list(before)].max(dim=1)[0]
    return ends[:, -1]
""",
    "the ratio by torch.distributions": """
from torch.distributions import Exponential, Independent
def log_importance_ratio(t, theta, lam):
    p, q = Independent(Exponential(1 / theta), 1), Independent(Exponential(1 / lam), 1)
    return p.log_prob(t) - q.log_prob(t)
""",
    "the ratio by rates and einsum": """
def log_importance_ratio(t, theta, lam):
    return theta.log().neg().sum() + lam.log().sum() + torch.einsum("nj,j->n", t, 1 / lam - 1 / theta)
""",
    "the ratio by scipy": """
from scipy.stats import expon
def log_importance_ratio(t, theta, lam):
    t, theta, lam = (a.double().numpy() for a in (t, theta, lam))
    return torch.tensor((expon.logpdf(t, scale=theta) - expon.logpdf(t, scale=lam)).sum(1))
""",
    "the ratio by a loop over the tasks, in float32": """
def log_importance_ratio(t, theta, lam):
    t, theta, lam, total = t.float(), theta.float(), lam.float(), 0
    for j in range(10):
        total = total + torch.log(lam[j]) - torch.log(theta[j]) + t[:, j] * (1 / lam[j] - 1 / theta[j])
    return total
""",
    # TODO 2
    "the mean by a dot product": """
def importance_mean(f, log_w):
    return f @ log_w.exp() / f.numel()
def standard_error(f, log_w):
    return torch.std(f * log_w.exp(), unbiased=False) / len(f) ** 0.5
""",
    "by numpy, which divides the variance by n": """
import numpy as np
def importance_mean(f, log_w):
    return torch.tensor(np.average(f.numpy() * np.exp(log_w.numpy())))
def standard_error(f, log_w):
    return torch.tensor(np.std(f.numpy() * np.exp(log_w.numpy())) / np.sqrt(len(f)))
""",
    "the error from two moments": """
def standard_error(f, log_w):
    terms = f * torch.exp(log_w)
    return torch.sqrt(((terms**2).mean() - terms.mean() ** 2) / len(terms))
""",
    "the error from the mean that is there, in float32": """
def standard_error(f, log_w):
    f, log_w = f.float(), log_w.float()
    off = f * torch.exp(log_w) - importance_mean(f, log_w)
    return torch.sqrt((off**2).sum() / (len(f) - 1) / len(f))
""",
    "the error by scipy": """
from scipy.stats import sem
def standard_error(f, log_w):
    return torch.tensor(float(sem((f * log_w.exp()).numpy())))
""",
    "the sample size from the coefficient of variation": """
def effective_sample_size(log_w):
    w = torch.exp(log_w - log_w.max(0).values)
    return len(w) / (1 + w.var(0, unbiased=False) / w.mean(0) ** 2)
""",
    "the sample size in logarithms": """
def effective_sample_size(log_w):
    return torch.exp(2 * torch.logsumexp(log_w, 0) - torch.logsumexp(2 * log_w, 0))
""",
    "the sample size by log_softmax": """
def effective_sample_size(log_w):
    return torch.exp(-torch.logsumexp(2 * torch.log_softmax(log_w, dim=0), dim=0))
""",
    "the sample size by a loop over the images, in float32": """
def effective_sample_size(log_w):
    sizes = []
    for b in range(log_w.shape[1]):
        w = torch.exp(log_w[:, b].float() - log_w[:, b].float().max())
        sizes.append(w.sum() ** 2 / (w**2).sum())
    return torch.stack(sizes)
""",
    # TODO 3
    "the posterior mean by einsum": """
def posterior_mean(log_w, z):
    return torch.einsum("kb,kbd->bd", torch.softmax(log_w, 0), z)
""",
    "the posterior mean with weights from logsumexp": """
def posterior_mean(log_w, z):
    w = torch.exp(log_w - torch.logsumexp(log_w, 0))
    return (w.unsqueeze(-1) * z).sum(dim=0)
""",
    "the posterior mean as a ratio of means, after a shift": """
def posterior_mean(log_w, z):
    w = torch.exp(log_w - log_w.max(0, keepdim=True)[0])[..., None]
    return (w * z).mean(0) / w.mean(0)
""",
    "the posterior mean by loops, in float32": """
def posterior_mean(log_w, z):
    log_w, z = log_w.float(), z.float()
    rows = []
    for b in range(log_w.shape[1]):
        w = torch.softmax(log_w[:, b], 0)
        rows.append(sum(w[i] * z[i, b] for i in range(len(w))))
    return torch.stack(rows)
""",
    "resampling by numpy's searchsorted": """
import numpy as np
def resample(log_w, z, u):
    w = torch.softmax(log_w.double(), 0).numpy()
    drawn = torch.empty(u.shape[0], z.shape[1], z.shape[2], dtype=z.dtype)
    for b in range(z.shape[1]):
        i = np.searchsorted(np.cumsum(w[:, b]), u[:, b].numpy(), side="right")
        drawn[:, b] = z[np.minimum(i, len(z) - 1), b]
    return drawn
""",
    "resampling by counting": """
def resample(log_w, z, u):
    reached = torch.cumsum(torch.exp(torch.log_softmax(log_w, 0)), 0)
    index = (reached[None] < u[:, None]).sum(1)
    return torch.take_along_dim(z, index[..., None], 0)
""",
    "resampling by three loops, in float32": """
def resample(log_w, z, u):
    w = torch.softmax(log_w.float(), 0)
    drawn = torch.zeros(len(u), *z.shape[1:])
    for j in range(len(u)):
        for b in range(z.shape[1]):
            reached, i = w[0, b], 0
            while reached < u[j, b]:
                i += 1
                reached = reached + w[i, b]
            drawn[j, b] = z[i, b]
    return drawn
""",
    "resampling by argmax of a comparison": """
def resample(log_w, z, u):
    reached = torch.logcumsumexp(torch.log_softmax(log_w, 0), 0).exp()
    index = (reached[None] >= u[:, None]).int().argmax(1)
    return z[index, torch.arange(z.shape[1])]
""",
    "the grid by log_softmax": """
def grid_log_posterior(log_joint, area):
    return torch.log_softmax(log_joint, 0) - math.log(area)
""",
    "the grid by scipy": """
from scipy.special import logsumexp
def grid_log_posterior(log_joint, area):
    return log_joint - torch.tensor(logsumexp(log_joint.numpy(), axis=0)) - math.log(area)
""",
    "the grid after a shift, with the area in the sum, in float32": """
def grid_log_posterior(log_joint, area):
    shifted = log_joint.float() - log_joint.float().max(0).values
    return shifted - torch.log((torch.exp(shifted) * area).sum(0))
""",
}
