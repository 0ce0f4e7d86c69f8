"""The likelihood in one pass: at least as exact as the plain formula, which stays wherever the kernel cannot do it."""

import math

import pytest
import torch
from torch.nn import functional as F

import evaluate
import likelihood
import native
import process
import train
from helpers.commands import ROOT, SOLUTION

P = 784


def formula(x, logits):
    return (x * logits - F.softplus(logits)).sum(-1)


@pytest.fixture(autouse=True, scope="module")
def loaded():
    """The kernel, in the tests of this file alone."""
    if not native.libraries():
        pytest.skip("there is no compiler here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likelihood, "kernel", None)
        patch.setattr(likelihood, "parallel", None)
        likelihood.load()
        yield


@pytest.fixture
def calls(monkeypatch):
    """The calls of the kernel, as a list that grows."""
    found, kernel = [], likelihood.kernel
    monkeypatch.setattr(likelihood, "kernel", lambda *arguments: (found.append(arguments), kernel(*arguments)))
    return found


def images(*shape, p=0.3):
    return torch.bernoulli(torch.full(shape, p))


LOGITS = {
    "small": lambda x: 0.1 * torch.randn(5, *x.shape),
    "as of a trained network": lambda x: 4 * torch.randn(5, *x.shape),
    "from -100 to 100": lambda x: 200 * torch.rand(5, *x.shape) - 100,
    "sure, and right": lambda x: (2 * x - 1) * 30 * torch.rand(5, *x.shape),
    "sure, and wrong": lambda x: (1 - 2 * x) * 30 * torch.rand(5, *x.shape),
}


@pytest.mark.parametrize("kind", LOGITS)
def test_it_is_no_less_exact_than_the_plain_formula(kind, calls):
    """In the mean and at worst, against float64: the values and the gradients."""
    x = images(40, P)
    logits = LOGITS[kind](x).requires_grad_()
    results = {}
    for name, function, kind_of in (
        ("exact", formula, torch.double),
        ("plain", formula, torch.float),
        ("kernel", likelihood.bernoulli, torch.float),
    ):
        value = function(x.to(kind_of), logits.to(kind_of))
        results[name] = value.detach(), *torch.autograd.grad(value.sum(), logits)
    assert len(calls) == 1
    exact = results["exact"][0], x.double() - torch.sigmoid(logits.detach().double())
    for truth, plain, found in zip(exact, results["plain"], results["kernel"]):
        plain_error, error = (plain - truth).abs(), (found - truth).abs()
        assert error.mean() <= 1.02 * plain_error.mean()
        assert error.max() <= 1.02 * plain_error.max()


@pytest.mark.parametrize(
    "logit", [-math.inf, -3e38, -1e4, -104.0, -88.0, -87.0, -0.0, 0.0, 16.5, 88.0, 1e4, math.inf, math.nan]
)
@pytest.mark.parametrize("pixel", [0.0, 1.0, 0.25])
def test_extremes_are_those_of_the_plain_formula(logit, pixel, calls):
    logits = torch.full((2, 33), logit).requires_grad_()
    x = torch.full((2, 33), pixel)
    value, expected = likelihood.bernoulli(x, logits), formula(x.double(), logits.double())
    assert len(calls) == 1
    torch.testing.assert_close(value, expected.float(), rtol=1e-6, atol=1e-6, equal_nan=True)
    found, right = (torch.autograd.grad(v.sum(), logits)[0] for v in (value, expected))
    torch.testing.assert_close(found, right, rtol=0, atol=1e-7, equal_nan=True)


def test_a_nan_stays_in_its_own_row():
    logits = torch.zeros(3, P)
    logits[1, 700] = math.nan
    assert likelihood.bernoulli(torch.zeros(3, P), logits).isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("pixels", [1, 7, 15, 16, 17, 784, 960, 961, 3000])
def test_every_number_of_pixels(pixels, calls):
    x, logits = images(3, pixels), (10 * torch.randn(4, 3, pixels)).requires_grad_()
    value = likelihood.bernoulli(x, logits)
    torch.testing.assert_close(value.double(), formula(x.double(), logits.double()), rtol=1e-6, atol=1e-5)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    torch.testing.assert_close(gradient, x - torch.sigmoid(logits), rtol=0, atol=2e-7)
    assert len(calls) == 1


SHAPES = [((6,), (6,)), ((3, 6), (3, 6)), ((3, 6), (5, 3, 6)), ((6,), (5, 3, 6)), ((3, 6), (2, 5, 3, 6))]
OTHER_SHAPES = [
    ((5, 1, 6), (5, 3, 6)),
    ((3, 1), (3, 6)),
    ((5, 3, 6), (3, 6)),
    ((), (3, 6)),
    ((0, 6), (0, 6)),
    ((2, 0), (2, 0)),
]


@pytest.mark.parametrize(("of_x", "of_logits"), SHAPES + OTHER_SHAPES)
def test_shapes_are_broadcast(of_x, of_logits, calls):
    x, logits = torch.rand(of_x), torch.randn(of_logits)
    torch.testing.assert_close(likelihood.bernoulli(x, logits), formula(x, logits))
    assert len(calls) == ((of_x, of_logits) in SHAPES)


def test_several_threads_give_the_same(monkeypatch):
    x, logits = images(50, P), torch.randn(7, 50, P)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        several = likelihood.bernoulli(x, logits)
    finally:
        torch.set_num_threads(before)
    monkeypatch.setattr(likelihood, "parallel", None)
    assert torch.equal(several, likelihood.bernoulli(x, logits))


def test_memory_in_another_order_is_read_in_its_order():
    x, logits = images(P, 3).T, torch.randn(P, 3, 2).permute(2, 1, 0)
    torch.testing.assert_close(likelihood.bernoulli(x, logits), formula(x, logits))
    logits = torch.randn(2, 3, 2 * P)[..., ::2].requires_grad_()
    (gradient,) = torch.autograd.grad(likelihood.bernoulli(x, logits).sum(), logits)
    torch.testing.assert_close(gradient, x - torch.sigmoid(logits))


def test_without_gradients_nothing_is_kept(calls):
    x, logits = images(2, P), torch.randn(2, P, requires_grad=True)
    with torch.no_grad():
        likelihood.bernoulli(x, logits)
    likelihood.bernoulli(x, logits.detach())
    assert [arguments[4] for arguments in calls] == [None, None]  # the residual's address


def test_a_gradient_can_be_differentiated(calls):
    x, logits, factor = images(2, 3, P), torch.randn(4, 2, 3, P, requires_grad=True), torch.randn(4, 2, 3)
    second = []
    for function in (likelihood.bernoulli, formula):
        (first,) = torch.autograd.grad((function(x, logits) ** 2 * factor).sum(), logits, create_graph=True)
        second += torch.autograd.grad((first**2).sum(), logits)
    assert len(calls) == 1
    torch.testing.assert_close(*second, rtol=1e-4, atol=1e-4 * second[1].abs().max().item())


def test_the_gradient_of_one_row_leaves_the_others():
    logits = torch.randn(3, P, requires_grad=True)
    likelihood.bernoulli(images(3, P), logits)[1].backward()
    assert logits.grad[1].abs().min() > 0 and not logits.grad[::2].any()


OTHERS = {
    "float64": lambda x, logits: (x.double(), logits.double()),
    "two types": lambda x, logits: (x.double(), logits),
    "bfloat16": lambda x, logits: (x.bfloat16(), logits.bfloat16()),
    "a gradient to x": lambda x, logits: (x.requires_grad_(), logits),
    "another device": lambda x, logits: (x.to("meta"), logits.to("meta")),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_the_kernel_does_not_know_gets_the_plain_formula(kind, calls):
    x, logits = OTHERS[kind](images(2, P), torch.randn(3, 2, P))
    value, expected = likelihood.bernoulli(x, logits), formula(x, logits)
    assert not calls and value.dtype == expected.dtype and value.shape == expected.shape
    assert value.device.type == "meta" or torch.equal(value, expected)
    assert value.requires_grad == expected.requires_grad


def test_transforms_of_functions_get_the_plain_formula(calls):
    x, logits, tangent = images(2, 9), torch.randn(4, 2, 9), torch.randn(4, 2, 9)
    by_sample = torch.func.vmap(likelihood.bernoulli, in_dims=(None, 0))(x, logits)
    torch.testing.assert_close(by_sample, formula(x, logits))
    _, found = torch.func.jvp(lambda a: likelihood.bernoulli(x, a), (logits,), (tangent,))
    expected = ((x - torch.sigmoid(logits)) * tangent).sum(-1)
    torch.testing.assert_close(found, expected)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(logits, tangent)
        value = likelihood.bernoulli(x, dual)
        torch.testing.assert_close(torch.autograd.forward_ad.unpack_dual(value).tangent, expected)
    assert not calls


def test_it_is_what_torch_asks_of_an_operator():
    """Shapes, autograd and the traced form agree, as torch.library.opcheck finds them."""
    x, logits = images(2, 9), torch.randn(3, 2, 9)
    torch.library.opcheck(torch.ops.iwae.bernoulli.default, (x, logits))
    torch.library.opcheck(torch.ops.iwae.bernoulli_with_residual.default, (x, logits.requires_grad_()))
    layer = (torch.randn(shape, requires_grad=True) for shape in ((3, 2, 4), (9, 4), (9,)))
    torch.library.opcheck(torch.ops.iwae.bernoulli_of_linear.default, (x, *layer))


def of_layer(x, h, weight, bias):
    return likelihood.bernoulli(x, F.linear(h, weight, bias))


def compiled_alike(function, *arguments):
    """The operators of ours that a compiled function calls, after its value and gradients were compared with float64.

    The function is called with the formula instead of the kernel there.
    """
    graphs = []

    def backend(module, _):
        """Without a compiler: run the graph as it then is."""
        likelihood.take_in_linear(module)
        graphs.append(module.graph)
        return module

    torch._dynamo.reset()  # else the ninth function of a name is not compiled any more
    fast = torch.compile(function, backend=backend)
    results = []
    for call, kind in ((fast, torch.float), (function, torch.double)):
        own = [a.detach().to(kind).requires_grad_(a.requires_grad) for a in arguments]
        value = call(*own)
        weights = torch.arange(value.numel(), dtype=kind).view(value.shape).cos()  # of no row the same
        gradients = torch.autograd.grad((weights * value).sum(), [a for a in own if a.requires_grad])
        results.append([value.float(), *(g.float() for g in gradients)])
    for found, right in zip(*results, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-5 * right.abs().max().item())
    targets = [str(node.target) for graph in graphs for node in graph.nodes]
    return [target for target in targets if target.startswith("iwae.")]


@pytest.mark.parametrize("shape", [(5,), (3, 5), (4, 3, 5), (2, 4, 3, 5)])
@pytest.mark.parametrize("pixels", [7, 16, P])
def test_a_compiled_step_takes_in_the_layer_before(shape, pixels):
    x = images(*shape[-2:-1], pixels)
    layer = (torch.randn(s, requires_grad=True) for s in (shape, (pixels, 5), (pixels,)))
    assert compiled_alike(of_layer, x, *layer) == ["iwae.bernoulli_of_linear"]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_a_layer_of_inputs_in_another_order(order):
    h = torch.randn(*(torch.tensor((4, 3, 5))[list(order)].tolist()))
    h = h.permute(*(order.index(i) for i in range(3))).requires_grad_()
    layer = (torch.randn(s, requires_grad=True) for s in ((P, 5), (P,)))
    assert compiled_alike(of_layer, images(3, P), h, *layer) == ["iwae.bernoulli_of_linear"]


OTHER_LAYERS = {
    "without a bias": lambda x, h, weight, bias: of_layer(x, h, weight, None) + bias.sum(),
    "used elsewhere": lambda x, h, weight, bias: (
        (logits := F.linear(h, weight, bias)).sum(-1) + likelihood.bernoulli(x, logits)
    ),
    "scaled": lambda x, h, weight, bias: likelihood.bernoulli(x, 2 * F.linear(h, weight, bias)),
    "by a product": lambda x, h, weight, bias: likelihood.bernoulli(x, h @ weight.T + bias),
}


@pytest.mark.parametrize("kind", OTHER_LAYERS)
def test_other_layers_stay(kind):
    layer = (torch.randn(s, requires_grad=True) for s in ((4, 3, 5), (P, 5), (P,)))
    assert compiled_alike(OTHER_LAYERS[kind], images(3, P), *layer) == ["iwae.bernoulli_with_residual"]


def test_the_gradients_of_a_layer_can_be_differentiated():
    x, factor = images(3, P), torch.randn(4, 3)
    layer = [(torch.randn(s) / 5).requires_grad_() for s in ((4, 3, 5), (P, 5), (P,))]
    second = []
    for function in (
        lambda *given: torch.ops.iwae.bernoulli_of_linear(*given)[0],
        lambda x, *a: formula(x, F.linear(*a)),
    ):
        first = torch.autograd.grad((function(x, *layer) ** 2 * factor).sum(), layer, create_graph=True)
        second.append(torch.autograd.grad(sum((g**2).sum() for g in first), layer))
    for found, right in zip(*second):
        torch.testing.assert_close(found, right, rtol=1e-3, atol=1e-4 * right.abs().max().item())


def test_the_models_loss_traces_as_one_graph(reference, calls):
    """Forward and backward; the graph runs without a compiler."""
    model = reference.IWAE(d_data=20, d_latent=2, hidden=(4,))
    x, parameters = images(3, 20), list(model.parameters())

    def step(x):
        loss = model.loss(x, "iwae", 5)
        return loss.detach(), *torch.autograd.grad(loss, parameters)

    with torch._dynamo.config.patch(trace_autograd_ops=True):
        results = []
        for function in (torch.compile(step, backend="aot_eager", fullgraph=True), step):
            torch.manual_seed(0)
            results.append(function(x))
    assert len(calls) == 2
    torch.testing.assert_close(*results)


def test_the_test_nll_is_unchanged_within_rounding(reference, calls, monkeypatch):
    """What the judge measures: far below the hundredth of a nat that is told."""
    model, x = reference.IWAE(), images(30, P)
    by_kernel = evaluate.estimate(reference, model, x, 100)
    assert calls
    monkeypatch.setattr(likelihood, "kernel", None)
    for found, expected in zip(by_kernel, evaluate.estimate(reference, model, x, 100)):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


OLD = "(x * logits - F.softplus(logits)).sum(-1)"  # as files of earlier versions have it


@pytest.mark.parametrize("formula_in_file", ["likelihood.bernoulli(x, logits)", OLD])
def test_training_goes_on_without_and_says_so_once(tmp_path, monkeypatch, command, formula_in_file):
    process.load_kernel.cache_clear()
    monkeypatch.setattr(likelihood, "kernel", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "model.py"))  # a file: no folder can be made there
    source = (ROOT / SOLUTION).read_text().replace("likelihood.bernoulli(x, logits)", formula_in_file)
    (tmp_path / "model.py").write_text(source)
    for epochs in (1, 2):
        options = ("--epochs", epochs, "--test-k", 10, "--device", "cpu")
        new = ("--data", "digits", "--hidden", 10, "--model", tmp_path / "model.py", "--out", tmp_path / "run")
        ended = command(train, *options, *(new if epochs == 1 else ("--resume", tmp_path / "run")))
        assert ended.status == 0, ended.err
        assert ended.err.count("notice: code in C cannot be kept") == (epochs == 1)
    process.load_kernel.cache_clear()
