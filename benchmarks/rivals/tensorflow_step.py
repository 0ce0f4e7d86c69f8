"""TensorFlow: the whole step is one tf.function, run as a graph or compiled by XLA, with Keras's Adam."""

import itertools
import math
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import tensorflow as tf  # noqa: E402

THREADS = int(os.environ["OMP_NUM_THREADS"])
tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(THREADS)


def step(settings, weights, batches, jit_compile=False):
    k, batch_size, d_latent = settings.train_k, settings.batch_size, settings.d_latent
    n_encoder = len(settings.hidden) + 1
    layers = [(tf.Variable(weight.T), tf.Variable(bias)) for weight, bias in weights]
    variables = [variable for layer in layers for variable in layer]
    optimizer = tf.keras.optimizers.Adam(settings.lr)
    optimizer.build(variables)
    batches = itertools.cycle([tf.constant(batch) for batch in batches])

    def network(layers, x):
        for weight, bias in layers[:-1]:
            x = tf.tanh(tf.nn.bias_add(x @ weight, bias))
        weight, bias = layers[-1]
        return tf.nn.bias_add(x @ weight, bias)

    def loss(x):
        a = network(layers[:n_encoder], x)
        mu, log_sigma = tf.split(a, 2, axis=-1) if settings.untied else (tf.tanh(a), a)
        eps = tf.random.normal((k, batch_size, d_latent))
        z = mu + tf.exp(log_sigma) * eps
        logits = network(layers[n_encoder:], tf.reshape(z, (k * batch_size, d_latent)))
        logits = tf.reshape(logits, (k, batch_size, -1))
        log_p_x = tf.reduce_sum(x * logits - tf.math.softplus(logits), -1)
        log_w = log_p_x + tf.reduce_sum(-tf.square(z) / 2 + tf.square(eps) / 2 + log_sigma, -1)  # the constants cancel
        return -tf.reduce_mean(tf.reduce_logsumexp(log_w, 0) - math.log(k))

    @tf.function(jit_compile=jit_compile)
    def update(x):
        with tf.GradientTape() as tape:
            value = loss(x)
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables))
        return value

    return lambda: float(update(next(batches)))
