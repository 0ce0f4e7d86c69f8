"""The test NLL of what a submission trains: its own loss, in the sandbox, from weights that the judge sends.

The judge measures the weights that come back with the reference's functions; what the submission says of its own
results counts for nothing. An objective counts only where the functions that it needs have passed their checks, and
where the loss, replayed from the weights of several moments, is the reference's there. VAE (k = 1) and IWAE (k = 10)
train side by side, where there is more than one thread.
"""

import contextlib
import dataclasses
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
from tqdm import tqdm

from autograder import ROOT
from autograder.assignments.iwae import ASSIGNMENT
from autograder.grading.assignment import Checks
from autograder.grading.judge import gradient_fault, shape_fault, value_fault
from autograder.grading.remote import RemoteFile
from autograder.grading.tensors import vector_jacobian
from autograder.grading.verdicts import Lost
from autograder.sandbox.inside.bodies import encode
from autograder.sandbox.sandbox import Limits
from data import binarize, choose, load_grey
from evaluate import measure
from process import load_kernel
from settings import DATASETS, Settings

model_file = ASSIGNMENT.reference
REFERENCE = ROOT / "solutions" / "reference.json"
FULL_EPOCHS = {name: defaults.get("epochs", Settings.epochs) for name, defaults in DATASETS.items()}
SHORT_EPOCHS = {"mnist": 3, "digits": 30}
EPOCHS = {"full": FULL_EPOCHS, "short": SHORT_EPOCHS}
TRAIN_SECONDS = {"full": 1800, "short": 480}  # for each objective; the reference takes 330 and 41 with one thread
TEST_K = 100
TRAIN_K = {"vae": 1, "iwae": 10}
VAE_NEEDS = tuple(
    f"{function}_{what}"
    for function in ("gaussian", "reparameterize", "log_weights", "vae")
    for what in ("values", "gradients")
)
IWAE_NEEDS = (*VAE_NEEDS[:-2], "log_mean_exp_values", "log_mean_exp_gradients", "iwae_values", "iwae_gradients")
NEEDS = {"vae": VAE_NEEDS, "iwae": IWAE_NEEDS}  # the checks without which an objective is not trained
REPLAYED = 7  # images of a replay


@dataclass
class Training:
    """What came of one objective: the weights and their NLL, or what was lost."""

    initial: dict = field(default_factory=dict)  # the weights that were sent
    middle: dict = field(default_factory=dict)  # those after an epoch that the submission does not know
    losses: list = field(default_factory=list)  # of each epoch, as the submission says
    weights: dict = field(default_factory=dict)
    nll: float | None = None
    lost: Lost | None = None


class Run:
    """Trains both objectives when the first of their checks asks, once."""

    def __init__(self, submission, mode, seed, level=None, dataset="auto"):
        self.submission, self.mode, self.seed, self.level = submission, mode, seed, level
        self.trainings, self.dataset, self.data = None, dataset, None  # wanted, and used
        self.has_begun = False
        self.lacking = {}  # {objective: Lost} of those that lack a function, and are not trained

    def begin(self, failed_import, lost_of):
        """Before the first check. lost_of: a check's id -> (Check, what was lost in it or None)."""
        self.has_begun = True
        if failed_import:
            self.lacking = dict.fromkeys(NEEDS, failed_import)
            return
        for objective, needs in NEEDS.items():
            for check, lost in map(lost_of, needs):
                if lost:
                    title = f"{ASSIGNMENT.task(check.task).title}, {check.title}"
                    reason = f"not trained, since it needs what is lost in {title}"
                    self.lacking[objective] = Lost(lost.verdict, reason)
                    break

    def figure(self, objective):
        """The test NLL of an objective; Lost where the training failed."""
        if self.trainings is None:
            self.train()
        training = self.trainings[objective]
        if training.lost:
            raise training.lost
        return training.nll

    def train(self):
        load_kernel()
        self.trainings = {objective: Training(lost=self.lacking.get(objective)) for objective in TRAIN_K}
        wanted = [objective for objective in TRAIN_K if not self.trainings[objective].lost]
        n_threads = torch.get_num_threads()
        # With one thread, one after the other takes no longer, and half the memory.
        for objectives in [wanted] if n_threads > 1 else [[objective] for objective in wanted]:
            if objectives:
                self.train_together(objectives, n_threads)

    def train_together(self, objectives, n_threads):
        # The pool outside: at Ctrl-C the sandboxes close first, so that it has nothing left to wait for.
        with ThreadPoolExecutor(len(objectives)) as pool, contextlib.ExitStack() as stack:
            limits = Limits(threads=n_threads)
            remotes = {o: stack.enter_context(RemoteFile(self.submission, self.level, limits)) for o in objectives}
            for objective, remote in remotes.items():
                self.try_loss(objective, remote)
            ready = [objective for objective in objectives if not self.trainings[objective].lost]
            if not ready:
                return
            self.data = choose(self.dataset)
            epochs = EPOCHS[self.mode][self.data]
            names = " and ".join(objective.upper() for objective in ready)
            bar = tqdm(total=epochs * len(ready), desc=f"training {names}", unit=" epochs", disable=None)
            with bar:
                for future in [pool.submit(self.train_one, o, remotes[o], epochs, n_threads, bar) for o in ready]:
                    future.result()
            for objective in ready:  # not in the pool, whose threads share torch's random numbers
                self.replay(objective, remotes[objective])

    def settings(self, objective, data, epochs):
        own = {"objective": objective, "train_k": TRAIN_K[objective], "epochs": epochs, "seed": self.seed}
        return Settings(**{**DATASETS[data], **own, "data": data, "device": "cpu"})

    def try_loss(self, objective, remote):
        """One call of the loss: what is unfinished or does not run is told before anything is trained."""
        settings = self.settings(objective, "digits", 1)
        torch.manual_seed(self.seed)
        weights = model_file.IWAE(784, settings.d_latent, settings.hidden).state_dict()
        self.trainings[objective].initial = weights
        try:
            remote.create("nll", "IWAE", network(settings), weights, "float32")
            x = torch.bernoulli(torch.full((3, 784), 0.2))
            answer = remote.call("nll", "model.loss", {"x": x}, objective=objective, k=TRAIN_K[objective])
            if answer.output.shape != ():
                found = f"a tensor of shape {list(answer.output.shape)}"
                raise Lost("WRONG_SHAPE", found, "IWAE.loss", "one number, the mean over the images")
        except Lost as lost:
            self.trainings[objective].lost = lost

    def train_one(self, objective, remote, epochs, n_threads, bar):
        """Train one objective in the sandbox, then measure its weights here."""
        training = self.trainings[objective]
        settings = self.settings(objective, self.data, epochs)
        deadline = time.monotonic() + TRAIN_SECONDS[self.mode]

        def request(do, body=b"", **header):
            seconds = max(1.0, min(deadline - time.monotonic(), 5 * TRAIN_SECONDS[self.mode] / epochs))
            return remote.request("model.loss", {"do": do, **header}, body, seconds)

        try:
            images = load_grey(self.data)[0]
            content = encode({"images": images})
            request("prepare", content, settings=dataclasses.asdict(settings))
            middle = random.Random(f"{self.seed} {objective}").randrange(epochs)
            for epoch in range(epochs):
                answer, _ = request("epoch", threads=self.share(objective, n_threads))
                training.losses.append(number(answer.get("loss")))
                bar.update()
                if epoch == middle:
                    _, training.middle = request("weights")
            _, weights = request("weights")
            for found in (training.middle, weights):
                check_weights(found, training.initial, images)
            torch.set_num_threads(self.share(objective, n_threads))  # of this thread of the pool
            training.nll = measured_nll(weights, settings)
            training.weights = weights
        except Lost as lost:
            training.lost = lost
            bar.update(epochs - len(training.losses))

    def replay(self, objective, remote):
        """In a fresh process, the loss and its gradient at the beginning, at the end and in between: Lost unless right.

        The images and the seed of the noise are the judge's, in float64, so that rounding hides nothing.
        """
        training = self.trainings[objective]
        if training.lost:
            return
        settings = self.settings(objective, self.data, 1)
        choice = torch.Generator().manual_seed(self.seed)
        images = load_grey(self.data)[0]
        try:
            remote.process.close()
            for weights in (training.initial, training.middle, training.weights):
                x = binarize(images[torch.randint(len(images), (REPLAYED,), generator=choice)], choice).double()
                expect_loss(remote, settings, {n: t.double() for n, t in weights.items()}, x)
        except Lost as lost:
            training.lost, training.nll = lost, None

    def share(self, objective, n_threads):
        """Threads for one objective: half of them, until the other is ready."""
        is_ready = all(t.lost or t.nll is not None for o, t in self.trainings.items() if o != objective)
        return n_threads if is_ready else max(1, n_threads // 2)

    def summary(self):
        """What results.json says of the trainings."""
        trainings = self.trainings or {objective: Training() for objective in TRAIN_K}
        figures = {objective: t.nll for objective, t in trainings.items()}
        return {"mode": self.mode, **figures, "train_loss": {o: t.losses for o, t in trainings.items()}}

    def facts(self):
        """How it went, in a line."""
        where = f", on {self.data}" if self.data else ""
        known = {o: t.nll for o, t in (self.trainings or {}).items() if t.nll is not None}
        return "; ".join([f"{self.mode}{where}", *(f"{o.upper()} {nll:.1f} nats" for o, nll in known.items())])

    def pictures(self):
        """{title: a function that draws into a file} for the report."""
        from autograder.assignments.iwae.pictures import pictures  # matplotlib takes a second to import

        return pictures(self.trainings or {})


def number(value):
    """A finite number, or None: JSON has no NaN."""
    is_number = isinstance(value, int | float) and abs(value) < 1e300  # false for NaN
    return round(float(value), 4) if is_number else None


def network(settings):
    """The keywords that make the base network."""
    return {"d_data": 784, "d_latent": settings.d_latent, "hidden": list(settings.hidden), "tied": True}


def expect_loss(remote, settings, weights, x):
    """Lost unless IWAE.loss with these weights and its gradient are the reference's, for the same noise."""
    keywords = {"objective": settings.objective, "k": settings.train_k}
    reference = model_file.IWAE(**network(settings)).double()
    reference.load_state_dict(weights)
    torch.manual_seed(settings.seed)
    expected = reference.loss(x, **keywords)
    gradients = vector_jacobian(expected, dict(reference.named_parameters()), torch.ones(()))
    remote.create("nll", "IWAE", network(settings), weights, "float64")
    answer = remote.call("nll", "model.loss", {"x": x}, ("parameters",), torch.ones(()), settings.seed, **keywords)
    expected = expected.detach()
    fault = shape_fault(answer.output, expected) or value_fault(answer.output, expected, expected.abs())
    # Importance weights multiply the rounding of log weights, which are of the loss's size, into the gradient.
    fault = fault or gradient_fault(answer.gradients, gradients, {"log_w": expected.float()})
    if fault:
        called = f"IWAE.loss(x, {settings.objective!r}, k={settings.train_k}), replayed at weights of the training"
        right = "the loss of the file as it was handed out, with its noise, where the TODOs are right"
        raise Lost(*fault, called, right)


def measured_nll(weights, settings):
    """The estimated test NLL of the base network with these weights; Lost where they are too large for one."""
    model = model_file.IWAE(784, settings.d_latent, settings.hidden)
    model.load_state_dict(weights)
    nll = number(measure(model_file, model, settings, TEST_K).get("nll"))
    if nll is None:
        raise Lost("NONFINITE", "weights whose test NLL is infinite or NaN", "IWAE.loss", "a finite test NLL")
    return nll


def check_weights(weights, initial, images):
    """Lost unless these are finite weights of the base network that can have come from the initial ones."""
    if {n: (t.shape, t.dtype) for n, t in weights.items()} != {n: (t.shape, t.dtype) for n, t in initial.items()}:
        raise Lost("WRONG_SHAPE", "weights of another network", "IWAE.loss", "the weights of the base network")
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise Lost("NONFINITE", "weights that are infinite or NaN", "IWAE.loss", "finite weights after training")
    # A pixel that is black in every image gets no gradient, so its weights stay what they were.
    name, black = "encoder.body.0.weight", (images == 0).all(0)
    if not torch.equal(weights[name][:, black], initial[name][:, black]):
        raise Lost("WRONG_VALUE", "weights that were not trained from those that the grader sent", "IWAE.loss")


def references(data, mode):
    """The reference's mean test NLL for each objective."""
    results = json.loads(REFERENCE.read_text(encoding="utf-8"))["results"]
    return {
        r["objective"]: r["test_nll"][str(TEST_K)]["mean"]
        for r in results
        if r["data"] == data and r["tied"] and r["epochs"] == EPOCHS[mode][data]
    }


def half_gap(figures):
    return (figures["vae"] - figures["iwae"]) / 2


def band(data, mode, objective):
    """Lowest and highest NLL that count as right: half the gap between the two references to each side.

    What lies nearer to the other objective's figure than to its own is not this objective. Half the gap is seven
    or more standard deviations of the reference over its seeds (tests/grading/test_grading.py), so no right answer
    falls out.
    """
    figures = references(data, mode)
    return figures[objective] - half_gap(figures), figures[objective] + half_gap(figures)


def check_band(measured, objective):
    nll = measured.figure(objective)
    low, high = band(measured.data, measured.mode, objective)
    if not low <= nll <= high:
        epochs = EPOCHS[measured.mode][measured.data]
        k = TRAIN_K[objective]
        raise Lost(
            "WRONG_VALUE",
            f"an estimated test NLL of {nll:.1f} nats after {epochs} epochs of {measured.data}",
            f"training with IWAE.loss(x, {objective!r}, k={k})",
            f"between {low:.1f} and {high:.1f} nats; first look at the checks of the TODOs",
        )


def class_pictures(summaries):
    """{title: a function that draws into a file} for a class, from what Run.summary() gave of each submission."""
    from autograder.assignments.iwae.pictures import class_pictures

    return class_pictures(summaries)


CHECKS = Checks(ASSIGNMENT.points)


@CHECKS.add("nll", "estimated test NLL of the VAE, k = 1")
def nll_vae(measured, _):
    check_band(measured, "vae")


@CHECKS.add("nll", "estimated test NLL of the IWAE, k = 10")
def nll_iwae(measured, _):
    check_band(measured, "iwae")


@CHECKS.add("nll", "the IWAE beats the VAE")
def nll_gap(measured, _):
    """By at least half the reference's gap."""
    gap = measured.figure("vae") - measured.figure("iwae")
    expected = half_gap(references(measured.data, measured.mode))
    if not gap >= expected:
        found = f"the IWAE's test NLL is {abs(gap):.1f} nats {'lower' if gap > 0 else 'higher'} than the VAE's"
        raise Lost("WRONG_VALUE", found, "training both objectives", f"lower by {expected:.1f} nats or more")
