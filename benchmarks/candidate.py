"""One library's training step, in a process of its own that times it when asked; speed.py starts it.

Asked by a line of JSON, it answers by one: {"settings", "inputs", "steps"} prepares a network of these settings, takes
so many steps, and answers with the loss then; {"seconds"} answers with the times of steps taken for so long.
"""

import importlib
import importlib.metadata
import json
import os
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

PRODUCTS, PLAIN, COMPILED = "matrix products", "ours, plain", "ours, compiled"
RIVALS = {  # name: module, its package, options of its step
    "JAX jit": ("jax_step", "jax", {}),
    "TensorFlow jit_compile": ("tensorflow_step", "tensorflow-cpu", {"jit_compile": True}),
    "TensorFlow tf.function": ("tensorflow_step", "tensorflow-cpu", {}),
    "pyro": ("pyro_step", "pyro-ppl", {}),
    "pythae": ("pythae_step", "pythae", {}),
}


def rival_maker(name):
    """(a function of settings and inputs that gives the step, the library's version)"""
    module_name, package, options = RIVALS[name]
    module = importlib.import_module(f"rivals.{module_name}")

    def make(settings, inputs):
        with np.load(inputs) as arrays:
            images = arrays["images"]
            weights = [(arrays[f"weight{i}"], arrays[f"bias{i}"]) for i in range((len(arrays) - 1) // 2)]
        batches = images.reshape(-1, settings["batch_size"], images.shape[-1])
        return module.step(SimpleNamespace(**settings), weights, batches, **options)

    return make, importlib.metadata.version(package)


def our_maker(name, model):
    """The same for the course's own step, and for the bare matrix products."""
    import torch

    import speed
    from model_file import load_model_file
    from process import prepare_device
    from settings import Settings

    prepare_device("cpu")
    module = load_model_file(model)

    def make(settings, inputs):
        settings = Settings(**settings)
        if name == PRODUCTS:
            encoder, decoder = speed.layers(settings)
            return speed.matrix_products(encoder + decoder, backward=True)
        torch._dynamo.reset()  # else the ninth shape is not compiled any more
        with np.load(inputs) as arrays:
            images = torch.from_numpy(arrays["images"])
        step = speed.our_step(module, settings, images, compile_it=name == COMPILED)
        return lambda: step().item()

    return make, torch.__version__


def timed(step, seconds):
    """The seconds that each step takes, of steps taken for so long; at least one."""
    times = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return times


def main():
    name, model = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    try:
        make, version = rival_maker(name) if name in RIVALS else our_maker(name, model)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers)
        return
    print(json.dumps({"version": version}), file=answers)
    step = None
    for line in sys.stdin:
        asked = json.loads(line)
        if "seconds" in asked:
            answer = {"times": timed(step, asked["seconds"])}
        else:
            step = None  # frees the last network first
            step = make(asked["settings"], asked["inputs"])
            losses = [step() for _ in range(asked["steps"])][-10:]
            answer = {"loss": None if name == PRODUCTS else statistics.mean(losses)}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "base_code")]
    main()
