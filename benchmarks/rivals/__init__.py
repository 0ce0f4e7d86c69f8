"""The IWAE steps of other libraries, with the course's network: what `make bench` puts beside ours.

Each is written as the library's documentation says, at its best: encoded once per image, samples as one batch. Each
module has step(settings, weights, batches) -> a function that takes one training step and returns the loss, in nats
per image. weights are the layers (weight [out, in], bias [out]) of encoder, then decoder; batches [n, B, P].
"""
