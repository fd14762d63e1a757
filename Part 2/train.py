"""Train the GAN on MNIST: 25 samples every 500 batches, mnist_generator.pth at the end.

    python train.py                                     the full run, 200 epochs
    python train.py --n_epochs 1 --out_dir /tmp/look    a first look
    python train.py --resume                            go on after a crash, to the same bits

Into out_dir go images/<batch>.png, losses.png, training.gif, mnist_generator.pth, checkpoint.pt.
"""

import shlex
import sys
from pathlib import Path

import torch
from checkpoint import claim, restore, save_checkpoint
from common import add_run_flags, make_folder, make_parser, number, run, save, show_settings
from figures import STATISTICS, save_curves, save_gif, save_grid
from gan import Discriminator, Generator, discriminator_loss, generator_loss, gradient_penalty
from mnist import DATA_DIR, load_mnist
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from tqdm import tqdm

HERE = Path(__file__).parent


def add_training_flags(parser):
    """Add the flags that decide how a step is taken, and on what."""
    add = parser.add_argument
    add("--batch_size", type=number(int, 2, 60_000), default=64, help="real images in a step")
    rate = number(float, 0, 1, "()")
    add("--lr", type=rate, default=8e-4, help="learning rate of the generator's Adam")
    add("--lr_d", type=rate, default=4e-4, help="learning rate of the discriminator's Adam")
    add("--b1", type=number(float, 0, 1, "[)"), default=0.0, help="Adam's decay of the mean")
    add("--b2", type=number(float, 0, 1, "[)"), default=0.999, help="Adam's decay of the square")
    add("--r1", type=number(float, 0, 1000), default=0.4, help="weight of the gradient penalty")
    add("--r1_every", type=number(int, 1, 1000), default=16, help="batches between penalties")
    add("--bf16", action="store_true", help="multiply in bfloat16: faster on some processors")
    add("--ema", type=number(float, 0, 1, "[)"), default=0.9999, help="decay of averaged weights")
    add("--data_dir", default=DATA_DIR, help="folder that holds MNIST/raw/*.gz")


def parse_args():
    """Return the settings of this run."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add("--n_epochs", type=number(int, 1, 10_000), default=200, help="passes over the images")
    add("--n_images", type=number(int, 2, 60_000), default=60_000, help="how many images of MNIST")
    add("--latent_dim", type=number(int, 1, 10_000), default=100, help="size of the noise")
    add_training_flags(parser)
    add("--save_interval", type=number(int, 1), default=500, help="batches between sample grids")
    add("--resume", action="store_true", help="continue from checkpoint.pt in out_dir")
    add_run_flags(parser, HERE)
    return parser.parse_args()


def make_optimizers(generator, discriminator, args):
    """Return Adam for the generator and Adam for the discriminator."""
    adam = dict(betas=(args.b1, args.b2), fused=True)
    return [
        torch.optim.Adam(generator.parameters(), args.lr, **adam),
        torch.optim.Adam(discriminator.parameters(), args.lr_d, **adam),
    ]


def warm_ema(decay):
    """Return AveragedModel's averaging function: an exponential moving average of the weights.

    Its decay is min(decay, (1 + n) / (10 + n)) after n steps, so that the untrained weights are
    forgotten soon and early samples show what has been learnt.
    """

    def update(averaged, current, n):
        n = n.item()
        get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(averaged, current, n)

    return update


@torch.no_grad()
def sample(generator, z):
    """Return the images (B, 1, 28, 28) of z in eval mode, and leave the generator as it was."""
    training = generator.training
    images = generator.eval()(z)
    generator.train(training)
    return images


def train_step(generator, discriminator, optimizers, real, z, r1=0):
    """Let both players take one step.

    real (B, 1, 28, 28) in [-1, 1], z (B, latent_dim) with B >= 2, optimizers (generator's,
    discriminator's), r1 the weight of the gradient penalty. Returns STATISTICS as a tensor (4,).
    """
    optimizer_g, optimizer_d = optimizers
    fake = generator(z)

    # The discriminator sees real and fake in one pass, and both losses follow from its logits.
    real.requires_grad_(r1 > 0)
    logits = discriminator(torch.cat([real, fake]))
    real_logits, fake_logits = logits.split(len(real))
    d_loss = discriminator_loss(real_logits, fake_logits)
    g_loss = generator_loss(fake_logits)
    penalty = r1 * gradient_penalty(real_logits, real) if r1 > 0 else 0

    # Each loss gives gradients to its own player alone; then both step, from the same game.
    optimizer_d.zero_grad()
    (d_loss + penalty).backward(inputs=[*discriminator.parameters()], retain_graph=True)
    optimizer_g.zero_grad()
    g_loss.backward(inputs=[*generator.parameters()])
    optimizer_d.step()
    optimizer_g.step()
    d_real, d_fake = torch.sigmoid(real_logits).mean(), torch.sigmoid(fake_logits).mean()
    return torch.stack([d_loss, g_loss, d_real, d_fake]).detach()


def describe(history):
    """Return the mean of each statistic over some batches, in fixed width."""
    means = history.mean(0).tolist()
    return "  ".join(f"{name} {mean:5.3f}" for name, mean in zip(STATISTICS, means, strict=True))


def main():
    """Train, or go on training, and write everything into out_dir."""
    args = parse_args()
    show_settings(args)
    out_dir, images_dir = Path(args.out_dir), Path(args.out_dir) / "images"
    real_images = load_mnist(args.data_dir, True, args.device)[0][: args.n_images]
    make_folder(out_dir)
    claim(out_dir)
    make_folder(images_dir)

    torch.manual_seed(args.seed)
    generator = Generator(args.latent_dim).to(args.device)
    discriminator = Discriminator().to(args.device)
    averaged = AveragedModel(generator, multi_avg_fn=warm_ema(args.ema), use_buffers=True)
    optimizers = make_optimizers(generator, discriminator, args)
    rng = torch.Generator(args.device).manual_seed(args.seed)  # shuffles and draws the noise
    fixed_z = torch.randn(25, args.latent_dim, generator=torch.Generator().manual_seed(args.seed))
    fixed_z = fixed_z.to(args.device)

    players = dict(generator=generator, discriminator=discriminator, averaged=averaged)
    players |= dict(optimizer_g=optimizers[0], optimizer_d=optimizers[1])

    # A last batch of a single image is left out: BatchNorm cannot train on it.
    n_batches = len(real_images) // args.batch_size + (len(real_images) % args.batch_size > 1)
    history = torch.zeros(args.n_epochs * n_batches, 4, device=args.device)
    checkpoint = out_dir / "checkpoint.pt"
    first_epoch = 0
    if checkpoint.exists():
        first_epoch = restore(checkpoint, args, players, rng, history)
    elif args.resume:
        print(f"no checkpoint.pt in {out_dir} yet: starting at epoch 1", flush=True)
    step = first_epoch * n_batches
    images_done, images_all = (n * len(real_images) for n in (first_epoch, args.n_epochs))
    bar = tqdm(total=images_all, initial=images_done, unit=" images", unit_scale=True, disable=None)

    for epoch in range(first_epoch, args.n_epochs):
        order = torch.randperm(len(real_images), generator=rng, device=args.device)
        for batch in order.split(args.batch_size)[:n_batches]:
            if step % args.save_interval == 0:
                save_grid(images_dir / f"{step}.png", sample(averaged.module, fixed_z))
            real = real_images[batch]
            z = torch.randn(len(real), args.latent_dim, generator=rng, device=args.device)
            r1 = args.r1 * args.r1_every if step % args.r1_every == 0 else 0  # rarer, so stronger
            with torch.autocast(args.device.type, torch.bfloat16, enabled=args.bf16):
                history[step] = train_step(generator, discriminator, optimizers, real, z, r1)
            averaged.update_parameters(generator)
            step += 1
            bar.update(len(real))
            if step % 50 == 0 and not bar.disable:
                bar.set_description(f"epoch {epoch + 1}/{args.n_epochs}", refresh=False)
                bar.set_postfix_str(describe(history[step - 50 : step]), refresh=False)

        save_checkpoint(checkpoint, epoch + 1, args, players, rng, history[:step])
        if (epoch + 1) % 10 == 0 or epoch + 1 == args.n_epochs:
            means = describe(history[step - n_batches : step])
            tqdm.write(f"epoch {epoch + 1:4d}/{args.n_epochs}  batch {step:6d}  {means}")

    bar.close()
    if args.ema > 0:
        # BatchNorm's averaged statistics belong to no weights: measure those of the averaged ones.
        noise = (500, args.latent_dim)
        z = (torch.randn(noise, generator=rng, device=args.device) for _ in range(100))
        update_bn(z, averaged.module)
    save(out_dir / "mnist_generator.pth", lambda f: torch.save(averaged.module.state_dict(), f))
    save_curves(out_dir / "losses.png", history)
    grids = [images_dir / f"{i}.png" for i in range(0, step, args.save_interval)]
    save_gif(out_dir / "training.gif", grids)
    print(f"{step} batches done; generator, losses.png, training.gif and images/ in {out_dir}")


if __name__ == "__main__":
    resume = [] if "--resume" in sys.argv else ["--resume"]
    run(main, hint=f"continue with: {shlex.join([sys.executable, *sys.argv, *resume])}")
