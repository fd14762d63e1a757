"""What can be changed in the template's loop, each change a function with a name."""

import copy
import functools
import math
from collections import deque

import torch
from torch.optim import Adam

from gan import discriminator_loss, generator_loss

N_PUSHES = 100


def stale_fakes(training, n):
    """Show D fakes that are n steps old: G has made n steps since it drew them.

    One step old is the template. For fresh fakes, 0 steps old, D steps first.
    """
    if n == 0:
        training.train_step = functools.partial(step_d_first, training)
        return
    step, past = training.discriminator_step, deque(maxlen=n)

    def discriminator_step(real, fake):
        past.append(fake)
        step(real, past[0])

    training.discriminator_step = discriminator_step


def step_d_first(training, real):
    """Update both networks on real images, as in Template, but D first."""
    fake = training.generator(training.draw_noise(len(real)))
    training.discriminator_step(real, fake.detach())
    training.generator_step(fake)
    training.step += 1


def fresh_gradients(training, n):
    """Let D follow the mean of its gradient and of those of n - 1 more, fresh batches.

    As with momentum, Adam divides it by the second moment of single batches.
    """
    rng = torch.Generator().manual_seed(training.args.seed)

    def discriminator_step(real, fake):
        gradient = d_gradient(training.discriminator, real, fake)
        generator, gradients = copy.deepcopy(training.generator), [gradient]  # keeps its BatchNorm
        for _ in range(n - 1):
            size = training.args.batch_size
            real = training.images[torch.randint(len(training.images), (size,), generator=rng)]
            fake = generator(torch.randn(size, training.args.latent_dim, generator=rng))
            gradients.append(d_gradient(training.discriminator, real, fake.detach()))
        weights = [*training.discriminator.parameters()]
        before = [weight.detach().clone() for weight in weights]
        follow(training.optimizer_d, gradient)  # for Adam's second moment
        (group,) = training.optimizer_d.param_groups
        for weight, old, slopes in zip(weights, before, zip(*gradients, strict=True), strict=True):
            state = training.optimizer_d.state[weight]
            second = state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"])
            slope = torch.stack(slopes).mean(0)
            weight.data = old - group["lr"] * slope / (second.sqrt() + group["eps"])

    training.discriminator_step = discriminator_step


def momentum_d(training, b1):
    """Give D another momentum than G."""
    training.optimizer_d.param_groups[0]["betas"] = b1, training.args.b2


def rate_g(training, rate):
    """Give G another learning rate."""
    training.args.lr = rate
    training.set_rates(1)  # the template's do not fall


def rate_d(training, rate):
    """Give D another learning rate."""
    training.args.lr_d = rate
    training.set_rates(1)


def push_all_weights(training, lr, n_steps=math.inf):
    """Give G an extra step along the common push, with all of its weights."""
    add_push(training, [*training.generator.parameters()], lr, n_steps)


def push_100_times(training, lr):
    """End this extra step after N_PUSHES steps."""
    push_all_weights(training, lr, N_PUSHES)


def push_hidden(training, lr):
    """Give G this extra step with all layers but the last."""
    add_push(training, [*training.generator.layers[:-2].parameters()], lr)


def push_last_weights(training, lr):
    """Give G this extra step with the weights of its last layer, without the bias."""
    add_push(training, [training.generator.layers[-2].weight], lr)


def push_last_bias(training, lr):
    """Give G an extra step along the common push, with the bias of its last layer alone."""
    add_push(training, [training.generator.layers[-2].bias], lr)


def add_push(training, weights, lr, n_steps=math.inf):
    """Let each of G's next n_steps steps be followed by one along the common push.

    D pushes each fake along the gradient of G's loss at its pixels. The common push is the mean of
    these gradients over the batch. Only these weights of G follow it, with an Adam of their own.
    """
    g_step, last = training.generator_step, training.step + n_steps
    adam = Adam(weights, lr, (0.0, 0.999))

    def generator_step(fake):
        g_loss = generator_loss(training.discriminator(fake))
        (push,) = torch.autograd.grad(g_loss, fake)
        common_push = push.mean(0).expand_as(fake)
        gradient = torch.autograd.grad(fake, weights, common_push, retain_graph=True)
        g_step(fake)
        training.unpushed = copy.deepcopy(training.generator)
        if training.step < last:
            follow(adam, gradient)

    training.generator_step = generator_step


CHANGES = {  # what can be changed in the template's loop: {name: function(training, value)}
    "stale_fakes": stale_fakes,
    "fresh_gradients": fresh_gradients,
    "momentum_d": momentum_d,
    "rate_g": rate_g,
    "rate_d": rate_d,
    "push_all_weights": push_all_weights,
    "push_100_times": push_100_times,
    "push_hidden": push_hidden,
    "push_last_weights": push_last_weights,
    "push_last_bias": push_last_bias,
}


def change(training, changes):
    """Make changes {name in CHANGES: value} in a training that then goes on."""
    for name, value in changes.items():
        CHANGES[name](training, value)


def d_gradient(discriminator, real, fake):
    """Return the gradient of half of D's loss, a tensor for each of its weights."""
    d_loss = discriminator_loss(discriminator(real), discriminator(fake))
    return torch.autograd.grad(d_loss / 2, [*discriminator.parameters()])


def follow(optimizer, gradient):
    """Make a step of an optimizer along a gradient, a tensor for each of its weights."""
    (group,) = optimizer.param_groups
    for weight, slope in zip(group["params"], gradient, strict=True):
        weight.grad = slope
    optimizer.step()
