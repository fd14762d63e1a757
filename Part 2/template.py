"""Train the GAN with the settings of the course's template: the baseline of the report.

    python template.py --seed 0 --out_dir run/template/seed0

The template leaves the losses open; here they are the usual ones. The generator is updated first,
and then the discriminator, with half its loss, on the same fakes. Both have Adam with the rate
0.0002 and PyTorch's betas. There is neither penalty nor average; all else is that of train.py.
Seed 0 ends at a Frechet distance of 25, and seeds 1 and 2 near 490, after an hour of a core each.
The flags --b1_g and --b1_d change the momentum of one network each; study_collapse.py does more.
"""

import torch
from torch.utils.data import DataLoader

from common import make_parser, number, run
from gan import discriminator_loss, generator_loss
from train import Training, add_training_flags, train


def parse_args(argv=None):
    """Return the settings of the command line, or of a list of flags."""
    parser = make_parser(__doc__)
    for network in "generator", "discriminator":
        text = f"Adam's beta1 of the {network}"
        decay = number(float, 0, 0.999999)
        parser.add_argument(f"--b1_{network[0]}", type=decay, default=0.9, help=text)
    add_training_flags(parser)
    parser.set_defaults(batch_size=64, latent_dim=100, lr=2e-4, lr_d=2e-4, b2=0.999, ema=0)
    return parser.parse_args(argv)


class TemplateTraining(Training):
    """A training by the template's loop."""

    def optimizers(self):
        """Return the optimizer of the generator, and that of the discriminator."""
        args = self.args
        return (
            self.adam(self.generator, args.lr, args.b1_g),
            self.adam(self.discriminator, args.lr_d, args.b1_d),
        )

    def batches(self, images):
        """Return a loader of all images (N, 1, 28, 28), in random order, batch_size at a time."""
        return DataLoader(images, self.args.batch_size, shuffle=True, generator=self.rng)

    def generate(self, n):
        """Return n fakes of new noise, and at least two, since BatchNorm cannot do with one."""
        z = torch.randn(max(2, n), self.args.latent_dim, generator=self.rng)
        return self.generator(z.to(self.args.device))

    def train_step(self, real):
        """Update the generator and then the discriminator, on real (B, 1, 28, 28) in [-1, 1]."""
        fake = self.generate(len(real))
        g_loss = generator_loss(self.discriminator(fake))
        self.optimizer_g.zero_grad()
        g_loss.backward(inputs=list(self.generator.parameters()))
        self.optimizer_g.step()

        d_loss, real_logits, fake_logits = self.discriminator_gradient(real, fake.detach())
        self.update_discriminator()
        self.finish_step(d_loss, g_loss, real_logits, fake_logits)

    def discriminator_gradient(self, real, fake):
        """Compute the gradient of half the discriminator's loss; return loss and both logits."""
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        d_loss = discriminator_loss(real_logits, fake_logits)
        self.optimizer_d.zero_grad()
        (d_loss / 2).backward()
        return d_loss, real_logits, fake_logits

    def update_discriminator(self):
        """Apply the gradient just computed. study_collapse.py changes what is applied, and when."""
        self.optimizer_d.step()


def main():
    """Train with the settings of the command line."""
    train(parse_args(), TemplateTraining)


if __name__ == "__main__":
    run(main)
