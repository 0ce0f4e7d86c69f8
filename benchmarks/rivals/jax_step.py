"""JAX and optax: the whole step is one jitted function, whose parameters and Adam's state are updated in place."""

import functools
import itertools

import jax
import jax.numpy as jnp
import optax


def step(settings, weights, batches):
    k, batch_size, d_latent = settings.train_k, settings.batch_size, settings.d_latent
    n_encoder = len(settings.hidden) + 1
    layers = [(jnp.asarray(weight.T), jnp.asarray(bias)) for weight, bias in weights]
    optimizer = optax.adam(settings.lr)
    batches = itertools.cycle([jnp.asarray(batch) for batch in batches])

    def network(layers, x):
        for weight, bias in layers[:-1]:
            x = jnp.tanh(x @ weight + bias)
        weight, bias = layers[-1]
        return x @ weight + bias

    def loss(layers, x, key):
        a = network(layers[:n_encoder], x)
        mu, log_sigma = jnp.split(a, 2, axis=-1) if settings.untied else (jnp.tanh(a), a)
        eps = jax.random.normal(key, (k, batch_size, d_latent))
        z = mu + jnp.exp(log_sigma) * eps
        logits = network(layers[n_encoder:], z.reshape(k * batch_size, d_latent)).reshape(k, batch_size, -1)
        log_p_x = (x * logits - jax.nn.softplus(logits)).sum(-1)
        log_w = log_p_x + (-(z**2) / 2 + eps**2 / 2 + log_sigma).sum(-1)  # the constants cancel
        return -(jax.nn.logsumexp(log_w, axis=0) - jnp.log(k)).mean()

    @functools.partial(jax.jit, donate_argnums=0)
    def update(state, x):
        layers, adam, key = state
        key, noise = jax.random.split(key)
        value, gradients = jax.value_and_grad(loss)(layers, x, noise)
        updates, adam = optimizer.update(gradients, adam)
        return (optax.apply_updates(layers, updates), adam, key), value

    state = layers, optimizer.init(layers), jax.random.key(0, impl="rbg")  # faster than the default generator

    def take():
        nonlocal state
        state, value = jax.block_until_ready(update(state, next(batches)))
        return float(value)

    return take
