"""How good are generated images? The measures of the report, each once.

All but `nearest` work on what the CNN of classifier.py sees: features (N, 128), logits (N, 10).
"""

import functools

import torch


@torch.no_grad()
def in_pieces(function, inputs, size=500):
    """Return function(inputs), computed for size rows at a time, so that memory stays flat."""
    return torch.cat([function(piece) for piece in inputs.split(size)])


def latent_points(n, latent_dim, seed, device):
    """Return z (n, latent_dim), standard normal: the same for a seed, whatever the device."""
    return torch.randn(n, latent_dim, generator=torch.Generator().manual_seed(seed)).to(device)


def frechet_distance(x, y):
    """Return the Frechet distance, >= 0, of two Gaussians fitted to x (N, D) and y (M, D).

    ||mx - my||^2 + tr(Cx + Cy - 2 (Cx Cy)^(1/2)) in float64 (Heusel et al. 2017, equation 6). The
    trace of the root is the sum of the roots of the eigenvalues of Cx Cy, which are those of
    the symmetric Cx^(1/2) Cy Cx^(1/2).
    """
    x, y = x.cpu().double(), y.cpu().double()
    cx, cy = torch.cov(x.T), torch.cov(y.T)
    values, vectors = torch.linalg.eigh(cx)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cy @ root).clamp(min=0).sqrt().sum()
    return ((x.mean(0) - y.mean(0)).square().sum() + cx.trace() + cy.trace() - 2 * cross).item()


def inception_score(logits):
    """Return exp(E KL(p(y|x) || p(y))), 1..10, of logits (N, 10) (Salimans et al. 2016)."""
    log_p = logits.cpu().double().log_softmax(1)
    log_marginal = log_p.exp().mean(0).log()
    return (log_p.exp() * (log_p - log_marginal)).sum(1).mean().exp().item()


def confident(logits, least=0.9):
    """Return the share, 0..1, of the images of logits (N, 10) that are read with more than this."""
    return (logits.softmax(1).amax(1) > least).sum().item() / len(logits)


def digit_shares(logits):
    """Return (10,), the share in 0..1 of each digit among the images of logits (N, 10)."""
    return logits.argmax(1).cpu().bincount(minlength=10).double() / len(logits)


def density_and_coverage(real, fake, k=5):
    """Return (density >= 0, coverage 0..1) of fake (M, D) around real (N, D) (Naeem et al. 2020).

    Each real point owns the ball that reaches to its k-th neighbour. Density is the mean number
    of balls that hold a fake, over k: low when fakes lie off the data. Coverage is the share of
    balls that hold any fake: low when kinds of data are missing.
    """
    radii = in_pieces(lambda a: torch.cdist(a, real).kthvalue(k + 1).values, real)  # 1st: itself
    inside = [torch.cdist(piece, real) < radii for piece in fake.split(500)]
    density = sum(hits.sum() for hits in inside) / (k * len(fake))
    coverage = torch.stack([hits.any(0) for hits in inside]).any(0).float().mean()
    return density.item(), coverage.item()


def nearest(images, references):
    """Return (N, 2): the distance of each image to its nearest reference, and which one it is.

    The distance is the root of the summed squares of all pixel differences, pixels in 0..1.
    """
    flat = references.flatten(1) / 2  # half of [-1, 1] spans 1

    def search(piece):
        distance, index = torch.cdist(piece.flatten(1) / 2, flat).min(1)
        return torch.stack([distance, index.float()], 1)  # exact up to 2^24

    return in_pieces(search, images)


class Judge:
    """Compares generated images with those of the training, as the classifier sees them."""

    def __init__(self, classifier, training_images):
        self.classifier, self.training_images = classifier, training_images

    @functools.cached_property
    def training_features(self):
        """The features (N, 128) of all training images; seconds, so only when first needed."""
        return in_pieces(self.classifier.features, self.training_images)

    def look(self, images):
        """Return features (N, 128) and logits (N, 10) of images (N, 1, 28, 28)."""
        features = in_pieces(self.classifier.features, images)
        return features, in_pieces(self.classifier.head, features)

    def quality(self, features, logits):
        """Return {measure: number} of the images with these features and logits."""
        return dict(
            frechet_distance=frechet_distance(features, self.training_features),
            inception_score=inception_score(logits),
            confident=confident(logits),
            rarest_digit=digit_shares(logits).min().item(),
        )
