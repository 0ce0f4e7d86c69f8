"""What check.py tries of the lab `hierarchical`: small networks with simple weights, and numbers for them."""

import torch

from checking import call, compare, expect, expect_gradients

NAMES = ("TwoLayerIWAE", "ConditionalIWAE", "activity", "principal_components")


def waves(*shape, start=1.0):
    """sin(1), sin(2), ... in a tensor: numbers without a pattern, the same everywhere."""
    return torch.sin(start + torch.arange(torch.Size(shape).numel())).view(shape)


def filled(model, **log_sigmas):
    """The model with such numbers for weights. log_sigmas: {network: log(sigma) of all its units} where it is fixed."""
    with torch.no_grad():
        for i, weight in enumerate(model.parameters()):
            weight.copy_(waves(*weight.shape, start=1.7 * i))
        for name, log_sigma in log_sigmas.items():
            head = getattr(model, name).log_sigma
            head.weight.zero_()
            head.bias.fill_(log_sigma)
    return model


# TODO 1 ---------------------------------------------------------------------------------------------------

X = torch.tensor([[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.0]])  # [B, P] = [2, 4]
EPS = waves(3, 2, 5)  # [k, B, D1 + D2] = [3, 2, 3 + 2]
SIZES = "d_data=4, d1=3, d2=2, hidden1=(3,), hidden2=(2,)"

# The course's numbers, by torch.distributions. Those of a wide or narrow sigma are {network: {log(sigma): log_w}}.
FIVE = (-2.6333, -8.1703, -18.0772, -3.2311, -4.1421)
LOG_W = [[-21.5076, -31.4988], [-12.3137, -11.4118], [-14.8101, -20.4847]]  # [k, B]
LOG_W_OF = {
    "q_z1": {
        -5: [[-55.2678, -36.6719], [-19.3462, -17.8946], [-35.2533, -55.6209]],
        5: [[-208482.8379, -69134.1437], [-55137.7096, -136117.7006], [-116184.0961, -195832.2616]],
    },
    "q_z2": {
        -5: [[-14.9395, -20.2267], [-22.9449, -17.5932], [-19.622, -13.5553]],
        5: [[-16587.6032, -5997.6176], [-15549.8442, -9473.9612], [-9216.3951, -15764.3498]],
    },
    "p_z1": {
        -5: [[-47968.0882, -95757.4645], [-121941.7297, -68579.4808], [-60818.7975, -44607.3121]],
        5: [[-31.0942, -18.9891], [-17.9345, -17.7316], [-17.167, -31.1194]],
    },
}
LOGITS = [[-1.1188, -0.8139, 0.1564, 0.507], [-0.6354, -1.1896, 0.417, 0.3668]]  # [n, P]
LOGITS_OF = {
    -5: [[-1.138, -0.7894, 0.1271, 0.5406], [-0.6181, -1.2649, 0.5487, 0.1812]],
    3: [[-0.8752, -0.8649, 0.0137, 0.8405], [-0.8752, -0.8649, 0.0137, 0.8405]],
}


def two_layers(file, **log_sigmas):
    return filled(file.TwoLayerIWAE(d_data=4, d1=3, d2=2, hidden1=(3,), hidden2=(2,)), **log_sigmas)


def check_two_layers(file):
    what = f"log_weights of TwoLayerIWAE({SIZES}), x [2, 4], eps [3, 2, 5]"
    terms = FIVE
    reason = (
        f"for the first sample of the first image log p(x | z1) is {terms[0]}, log p(z1 | z2) {terms[1]}, log p(z2) "
        f"{terms[2]}, log q(z1 | x) {terms[3]}, log q(z2 | z1) {terms[4]}"
    )
    expect(what, two_layers(file).log_weights, (X, EPS), LOG_W, reason)
    for name, right in LOG_W_OF.items():
        for log_sigma, numbers in right.items():
            model = two_layers(file, **{name: log_sigma})
            reason = f"log(sigma) of {name} is {log_sigma} here, which the weight takes as it is"
            expect(f"{what}, sigma of {name} = exp({log_sigma})", model.log_weights, (X, EPS), numbers, reason)
    alone = call(what, two_layers(file).log_weights, X[1:], EPS[1:2, 1:])
    compare(f"{what}: one sample of one image alone", alone, [[LOG_W[1][1]]], "as together with the others")
    expect_slopes_of(what, two_layers(file), X, EPS)


def expect_slopes_of(what, model, *inputs):
    model, inputs = model.double(), [x.double() for x in inputs]
    expect_gradients(what, lambda: model.log_weights(*inputs), dict(model.named_parameters()))


def check_sample(file):
    eps = waves(2, 5, start=3.0)  # [n, D1 + D2]
    what = f"sample of TwoLayerIWAE({SIZES}), eps [2, 5]"
    reason = "the logits of the decoder at z1 = mu(z2) + sigma(z2) eps1, with z2 = eps2 and eps = (eps1, eps2)"
    expect(what, two_layers(file).sample, (eps,), LOGITS, reason)
    for log_sigma, numbers in LOGITS_OF.items():
        model = two_layers(file, p_z1=log_sigma)
        expect(f"{what}, sigma of p_z1 = exp({log_sigma})", model.sample, (eps,), numbers, reason)
    expect(f"{what}, the second image alone", two_layers(file).sample, (eps[1:],), LOGITS[1:], reason)


# TODO 2 ---------------------------------------------------------------------------------------------------

Y = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # [B, C] = [2, 3]
NOISE = waves(3, 2, 2, start=2.0)  # [k, B, D]
GIVEN_Y = {
    "standard": [[-21.8126, -5.9683], [-13.7714, -2.5141], [-27.3003, -3.902]],
    "label": [[-12.2075, -83.9324], [-3.462, -14.8069], [-7.5229, -13.3754]],
}
GIVEN_Y_OF = {  # {log(sigma) of q_z: log_w}
    -5: [[-11.8539, -38.7307], [-12.0253, -38.6422], [-11.6338, -38.9842]],
    5: [[-4358.9857, -151150.552], [-24112.9643, -26283.293], [-56304.6218, -26678.9394]],
}


def conditional(file, prior, **log_sigmas):
    model = file.ConditionalIWAE(d_data=4, n_classes=3, d_latent=2, hidden=(3,), prior=prior)
    return filled(model, **log_sigmas)


def check_conditional(file):
    for prior, right in GIVEN_Y.items():
        what = f"log_weights of ConditionalIWAE(d_data=4, n_classes=3, d_latent=2, hidden=(3,), prior={prior!r})"
        reason = "log p(x | z, y) + log p(z | y) - log q(z | x, y); self.prior(y) gives mu and sigma of p(z | y)"
        expect(what, conditional(file, prior).log_weights, (X, NOISE, Y), right, reason)
        what += ", one sample of one image"
        expect(what, conditional(file, prior).log_weights, (X[1:], NOISE[1:2, 1:], Y[1:]), [[right[1][1]]], reason)
        expect_slopes_of(what, conditional(file, prior), X, NOISE, Y)
    for log_sigma, right in GIVEN_Y_OF.items():
        model = conditional(file, "label", q_z=log_sigma)
        what = f"log_weights of ConditionalIWAE, sigma of q_z = exp({log_sigma})"
        expect(what, model.log_weights, (X, NOISE, Y), right, "the weight takes sigma as it is")


# TODO 3 ---------------------------------------------------------------------------------------------------


def check_activity(file):
    four = torch.tensor([[0.0, 1.0, 7.0], [0.0, -1.0, 7.1], [300.0, 2.0, 7.0], [100.0, -2.0, 7.1]])  # [N, D]
    for what, means in (("4 images, 3 units", four), ("2 images, 1 unit", four[2:, :1])):
        what = f"activity({means.tolist()}), {what}"
        found = call(what, file.activity, means)
        by_n, by_n_minus_1 = (means.var(0, correction=c) for c in (0, 1))
        is_by_n = found.shape == by_n.shape and (found - by_n).abs().sum() < (found - by_n_minus_1).abs().sum()
        reason = "the variance of each column; dividing by N or by N - 1 are both right"
        compare(what, found, by_n if is_by_n else by_n_minus_1, reason)


SCORES = torch.tensor([[9.0, 4.0, 1.0], [9.0, -4.0, -1.0], [-9.0, 4.0, -1.0], [-9.0, -4.0, 1.0]])
TURN = torch.tensor([[1.0, 2.0, 2.0], [2.0, 1.0, -2.0], [2.0, -2.0, 1.0]]) / 3  # its rows are directions


def check_principal_components(file):
    rows = SCORES @ TURN + torch.tensor([10.0, -4.0, 6.0])
    for n in (1, 2, 3):
        what = f"principal_components({[[round(v, 3) for v in row] for row in rows.tolist()]}, {n})"
        found = call(what, lambda a, n=n: file.principal_components(a, n), rows)
        right = SCORES[:, :n]
        if found.shape == right.shape:
            signs = (found * right).sum(0).sign()
            right = right * torch.where(signs == 0, 1.0, signs)
        reason = "projections of the centred rows on uncorrelated directions, the widest first; signs are free"
        compare(what, found, right, reason)


CHECKS = {
    1: {"TwoLayerIWAE.log_weights": check_two_layers, "TwoLayerIWAE.sample": check_sample},
    2: {"ConditionalIWAE.log_weights": check_conditional},
    3: {"activity": check_activity, "principal_components": check_principal_components},
}
