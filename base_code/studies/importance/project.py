"""The exact distribution of a project's duration where its tasks take exponential times.

Task j begins when its predecessors have ended and takes t_j, exponential with mean theta_j: so which tasks have ended
is a Markov chain in continuous time, on the sets that can be reached, and the project is done in the last of them.
"""

import torch


def generator(theta, predecessors):
    """The chain's matrix of rates, [S, S]: from no task ended, state 0, to all ended, state S - 1.

    theta: the means [n], float64. predecessors: of each task, its predecessors' indices. Differentiable in theta.
    """
    n = len(theta)
    states = [frozenset()]
    edges = []  # (from, to, the task that ends)
    for state in states:  # grows as it is walked through
        for task in set(range(n)) - state:
            if state.issuperset(predecessors[task]):
                after = state | {task}
                if after not in states:
                    states.append(after)
                edges.append((states.index(state), states.index(after), task))
    start, end, task = torch.tensor(edges).T
    rates = 1 / theta[task]
    empty = torch.zeros(len(states), len(states), dtype=torch.float64)
    return empty.index_put((start, end), rates).index_put((start, start), -rates, accumulate=True)


def tail(theta, predecessors, days):
    """P(the project takes longer than days), exactly."""
    return torch.linalg.matrix_exp(generator(theta, predecessors)[:-1, :-1] * days)[0].sum()


def mean_duration(theta, predecessors):
    """The project's mean duration in days, exactly: the mean time in each state that is not the last, added up."""
    inner = generator(theta, predecessors)[:-1, :-1]
    return torch.linalg.solve(-inner, torch.ones(len(inner), dtype=torch.float64))[0]


def second_moment(theta, lam, predecessors, days):
    """E_q[(1{D > days} w)^2] of one draw from the proposal q with means lam, exactly; inf where it is infinite.

    p^2 / q is again a product of exponentials: with s = lam / theta it has the means theta s / (2 s - 1) and the
    mass s^2 / (2 s - 1) in each task, which is finite for s > 1/2 only.
    """
    s = lam / theta
    if (s <= 0.5).any():
        return torch.tensor(torch.inf, dtype=torch.float64)
    return (s**2 / (2 * s - 1)).prod() * tail(theta * s / (2 * s - 1), predecessors, days)


def best_factors(theta, predecessors, days, n):
    """The factors of the means with the smallest second moment: one for all tasks (n = 1), or one for each.  -> [n]"""
    excess = torch.zeros(n, dtype=torch.float64, requires_grad=True)  # log(s - 1/2): every s is allowed
    optimizer = torch.optim.LBFGS([excess], max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = second_moment(theta, theta * (0.5 + excess.exp()), predecessors, days).log()
        value.backward()
        return value

    optimizer.step(loss)
    return (0.5 + excess.exp()).detach()
