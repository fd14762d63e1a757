"""Complete a palindrome: the committed LSTM predicts its last digit.

python predict.py 12345432                              prints 123454321
python predict.py 12345432 --weights run/rnn_t20.pth    as another network answers
"""

import argparse
import re
from pathlib import Path

import torch

from common import HERE, Formatter, load
from dataset import encode
from networks import from_weights

COMMITTED = HERE / "palindrome_lstm.pth"
PIECE = 1000  # digits that are read at a time, so that a long input takes little memory


@torch.no_grad()
def predict(model, digits):
    """Return the digit, 0 to 9, with the largest logit after digits, a string of 0 to 9."""
    state = None
    for start in range(0, len(digits), PIECE):
        x = torch.tensor([[int(digit) for digit in digits[start : start + PIECE]]])
        logits, state = model(encode(x, one_hot=model.input_dim == 10), state)
    return logits.argmax().item()


def main():
    """Print the digits with the predicted one, and whether that makes a palindrome."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=Formatter, allow_abbrev=False
    )
    parser.add_argument("digits", help="the palindrome without its last digit: four digits or more")
    text = "file of weights that train.py or studies.proof saved"
    parser.add_argument("--weights", type=Path, default=COMMITTED, help=text)
    args = parser.parse_args()
    if not re.fullmatch("[0-9]{4,}", args.digits):
        parser.error(f"argument digits: {args.digits!r} is not a row of four or more digits")
    answer = predict(load(args.weights, from_weights), args.digits)
    completed = f"{args.digits}{answer}"
    print(completed)
    if args.digits[1:] != args.digits[:0:-1]:
        print(f"No palindrome begins with these digits; the network answers {answer} to them.")
    elif completed != completed[::-1]:
        print(f"That is wrong: the palindrome ends with {args.digits[0]}.")


if __name__ == "__main__":
    main()
