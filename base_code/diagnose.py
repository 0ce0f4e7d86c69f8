"""Which part of a model file made a loss, or its gradient, a number that is none."""

import contextlib

import torch

from model_file import wrapped

NAMES = {
    "encoder": "mu or sigma, from the encoder",
    "reparameterize": "z, from reparameterize",
    "decoder": "the logits, from the decoder",
    "bernoulli_log_likelihood": "log p(x | z), from bernoulli_log_likelihood",
    "log_weights": "log_w, from log_weights",
    "vae_objective": "the ELBO, from vae_objective",
    "log_mean_exp": "the result of log_mean_exp",
    "iwae_objective": "the bound, from iwae_objective",
}


class Call:
    """One call of a function of the model file, or of a part of the model."""

    def __init__(self, name, arguments, result):
        results = result if isinstance(result, tuple) else (result,)
        self.name = name
        self.inputs = [a for a in arguments if isinstance(a, torch.Tensor)]
        self.outputs = [r for r in results if isinstance(r, torch.Tensor)]

    def local_gradients(self, loss):
        """The loss's gradients to the inputs, as far as they pass this call; none where they are lost before it."""
        inputs, outputs = ([t for t in tensors if t.requires_grad] for tensors in (self.inputs, self.outputs))
        if not inputs or not outputs:
            return []
        options = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
        arriving = torch.autograd.grad(loss, outputs, **options)
        if not are_finite(arriving):
            return []
        return torch.autograd.grad(outputs, inputs, arriving, **options)

    def __str__(self):
        if self.name != "gaussian_log_likelihood":
            return NAMES[self.name]
        is_prior = len(self.inputs) == 3 and not self.inputs[1].any() and (self.inputs[2] == 1).all()
        return f"{'log p(z)' if is_prior else 'log q(z | x)'}, from {self.name}"


def culprit(module, model, losses):
    """What first becomes infinite or NaN in losses(), a list of the model's, or in a gradient; None if nothing."""
    with recorded(module, model) as calls:
        results = losses()
    for call in calls:  # in the order in which they ended
        if are_finite(call.inputs) and not are_finite(call.outputs):
            bad = next(t for t in call.outputs if not are_finite([t])).detach()
            return f"{call} became {bad[~bad.isfinite()][0].item()}"
    if not are_finite(results):
        return None
    for call in calls:
        if not all(are_finite(call.local_gradients(result)) for result in results):
            return f"the derivative of {call} became infinite or NaN"
    return None


@contextlib.contextmanager
def recorded(module, model):
    """While it is entered, every call of the functions in NAMES is noted in the list that it gives, when it ends."""
    calls = []

    def recording(name, function):
        def call_and_note(*arguments, **named):
            result = function(*arguments, **named)
            calls.append(Call(name, [*arguments, *named.values()], result))
            return result

        return call_and_note

    hooks = [
        part.register_forward_hook(lambda _, inputs, output, name=name: calls.append(Call(name, inputs, output)))
        for name, part in model.named_children()
        if name in ("encoder", "decoder")
    ]
    try:
        model.log_weights = recording("log_weights", model.log_weights)
        with wrapped(module, (*NAMES, "gaussian_log_likelihood"), recording):
            yield calls
    finally:
        del model.log_weights
        for hook in hooks:
            hook.remove()


def are_finite(tensors):
    return all(tensor.isfinite().all() for tensor in tensors)
