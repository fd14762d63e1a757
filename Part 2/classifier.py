"""The evaluation classifier: a small CNN that reads digits, and whose features measure samples."""

from torch import nn

from common import HERE, load

FILE = "mnist_classifier.pth"


class Classifier(nn.Module):
    """A CNN: images (B, 1, 28, 28) in [-1, 1] -> logits (B, 10).

    Its body alone returns the features (B, 96), the activations before the last layer.
    """

    def __init__(self):
        super().__init__()
        layers = []
        for inputs, outputs in (1, 24), (24, 48), (48, 80):  # 28 x 28 -> 14 x 14 -> 7 x 7 -> 3 x 3
            layers.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(80 * 3 * 3, 96), nn.ReLU())
        self.head = nn.Linear(96, 10)

    def forward(self, images):
        """Return one logit per digit, (B, 10)."""
        return self.head(self.body(images))


def load_classifier(device="cpu"):
    """Return the committed classifier, in eval mode."""
    classifier = Classifier().to(device).eval()
    load(HERE / FILE, classifier.load_state_dict, device)
    return classifier
