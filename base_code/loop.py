"""One epoch of training, the state that it changes, and Ctrl-C between two steps."""

import math
import signal
import time
from dataclasses import dataclass

import safetensors.torch
import torch
from tqdm import tqdm

from cli import UserError
from data import as_input
from model_file import losses
from outputs import write_atomically
from run_folder import load_weights, read_tensors
from turns import pass_on

CHECK_EVERY = 50  # steps between two looks at the losses, which on a GPU wait for it


class NotFinite(UserError):
    """A loss, or a gradient of a loss, that is not a number.

    batch: its images x and, where the model asks for them, their classes y; random_state: that of its beginning
    """

    def __init__(self, message, batch, random_state):
        super().__init__(message)
        self.batch, self.random_state = batch, random_state


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, between two steps: nothing is lost."""


@dataclass
class State:
    """Where a training stands: all that a checkpoint holds."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    losses: torch.Tensor  # of each step of the epoch at hand
    epoch: int = 0  # epochs that are complete
    step: int = 0  # steps of the epoch at hand that are done
    seconds: float = 0.0  # spent on the epoch at hand

    def save(self, folder):
        """checkpoint.safetensors, to go on from, and model.safetensors, the weights alone."""
        weights = {name: tensor.contiguous() for name, tensor in self.model.state_dict().items()}
        tensors = {f"model.{name}": tensor for name, tensor in weights.items()}
        for i, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{name}": tensor for name, tensor in moments.items()}
        tensors["losses"] = self.losses
        tensors["position"] = torch.tensor([self.epoch, self.step, self.seconds], dtype=torch.float64)
        tensors["random.cpu"] = torch.get_rng_state()
        if self.losses.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        write_atomically(folder / "checkpoint.safetensors", safetensors.torch.save(tensors))
        write_atomically(folder / "model.safetensors", safetensors.torch.save(weights))

    def load(self, folder):
        """Go on where the checkpoint was saved."""
        tensors = read_tensors(folder / "checkpoint.safetensors")
        model = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
        load_weights(self.model, model, folder)
        moments = {}
        for name, tensor in tensors.items():
            if name.startswith("adam."):
                _, i, moment = name.split(".")
                moments.setdefault(int(i), {})[moment] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.losses.copy_(tensors["losses"])
        epoch, step, self.seconds = tensors["position"].tolist()
        self.epoch, self.step = int(epoch), int(step)
        torch.set_rng_state(tensors["random.cpu"])
        if "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"])


class StopRequest:
    """While it is entered, the first Ctrl-C only sets is_set; a second one stops at once."""

    is_set = False

    def __enter__(self):
        self.previous = signal.signal(signal.SIGINT, self.request)
        return self

    def request(self, *_):
        self.is_set = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *_):
        signal.signal(signal.SIGINT, self.previous)


def backward(model, x, objective, k, *y):
    """The loss of the images x, with its gradients left in the parameters' .grad, which were None before.

    Of a pair of losses, each leaves its gradients in its own part of the model alone, and the decoder's is returned.
    """
    *others, (loss, weights) = losses(model, x, objective, k, *y)
    for other, its_weights in others:
        other.backward(inputs=its_weights, retain_graph=True)
    # Named, since a compiler that stops within the loss would not see them behind it, and would leave no gradient.
    loss.backward(inputs=weights)
    return loss.detach()


def train_epoch(state, images, settings, stop, fast_backward=backward, labels=None):
    """Train on every image once, each binarised anew. Raises Interrupted with all that was done in state.

    images: uint8 [N, P], or [N, C, H, W], which are grey levels and stay what they are
    fast_backward: for a full batch; the last, smaller one is not worth compiling for
    labels: the classes of the images, one-hot [N, C], for a model that asks for them
    """
    order = torch.Generator().manual_seed((settings.seed * 1_000_003 + state.epoch) % 2**64)
    batches = torch.randperm(len(images), generator=order).to(images.device).split(settings.batch_size)
    for group in state.optimizer.param_groups:
        group["lr"] = settings.lr_at(state.epoch)
    description = f"epoch {state.epoch + 1}/{settings.epochs}"
    start = time.perf_counter() - state.seconds
    with tqdm(total=len(batches), desc=description, initial=state.step, leave=False, disable=None) as bar:
        for batch in batches[state.step :]:
            pass_on()
            x = as_input(images[batch])  # [B, P] or [B, C, H, W]
            y = () if labels is None else (labels[batch],)  # [B, C]
            batch_backward = fast_backward if len(batch) == settings.batch_size else backward
            random_state = torch.get_rng_state()
            state.optimizer.zero_grad()
            loss = batch_backward(state.model, x, settings.objective, settings.train_k, *y)
            if loss.device.type == "cpu":  # a GPU would have to be waited for
                check_step(state, loss, (x, *y), random_state)
            state.optimizer.step()
            state.losses[state.step] = loss
            state.step += 1
            bar.update()
            pause = stop.is_set or state.step == len(batches)
            if pause or state.step % CHECK_EVERY == 0:
                state.seconds = time.perf_counter() - start
                check_finite(state)
                bar.set_postfix_str(f"loss {state.losses[: state.step].mean():.2f}")
            if stop.is_set and state.step < len(batches):
                raise Interrupted


def check_step(state, loss, batch, random_state):
    """Raise NotFinite before the step that would spoil the weights."""
    # Whatever passes a layer passes its bias, where it is added up: a NaN shows there, for a tenth of the time.
    biases = (weight.grad for weight in state.model.parameters() if weight.ndim == 1 and weight.grad is not None)
    if not math.isfinite(loss.item()):
        found = f"the loss became {loss.item()}"
    elif not all(math.isfinite(gradient.sum().item()) for gradient in biases):
        found = f"the loss is {loss.item():.1f}, but its gradient became infinite or NaN"
    else:
        return
    raise NotFinite(f"{found} in epoch {state.epoch + 1}, step {state.step + 1}", batch, random_state)


def check_finite(state):
    """Stop at a loss or a weight that is not a number, before it can reach a checkpoint."""
    bad = (~state.losses[: state.step].isfinite()).nonzero()
    if len(bad):
        step, found = bad[0].item() + 1, f"the loss became {state.losses[bad[0]].item()}"
    elif not all(weight.isfinite().all() for weight in state.model.parameters()):
        step, found = state.step, "a weight became infinite or NaN"
    else:
        return
    raise UserError(
        f"{found} in epoch {state.epoch + 1}, step {step}; the last good checkpoint is kept; "
        "look for an overflow with base_code/check.py, or lower --lr"
    )
