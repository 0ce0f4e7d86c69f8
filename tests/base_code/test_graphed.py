"""A training step as a CUDA graph gives what the step itself gives. Only where there is a GPU."""

import pytest
import torch

from helpers.commands import ROOT
from loop import backward
from model_file import build_model, load_model_file
from process import graphed
from settings import complete


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("options", [{"layers": 2}, {"conditional": "label"}], ids=str)
def test_a_graph_gives_the_losses_and_gradients_of_the_step(options):
    given = {"objective": "iwae", "train_k": 5, "model": ROOT / "solutions/labs/hierarchical.py", **options}
    settings = complete(given, "digits")
    torch.manual_seed(0)
    model = build_model(load_model_file(settings.model), settings).cuda()
    y = [torch.eye(10, device="cuda")[:8]] if "conditional" in options else []
    x = torch.zeros(8, 784, device="cuda")
    step = graphed(backward, (model, x, "iwae", 5, *y), required=True)
    for seed in (1, 2):
        x = (torch.rand(8, 784, device="cuda") < 0.5).float()
        found = {}
        for name, function in (("graph", step), ("plain", backward)):
            model.zero_grad()
            torch.cuda.manual_seed(seed)
            loss = function(model, x, "iwae", 5, *y).clone()
            found[name] = [loss, *(weight.grad.clone() for weight in model.parameters())]
        torch.testing.assert_close(found["graph"], found["plain"], rtol=1e-4, atol=1e-5)
