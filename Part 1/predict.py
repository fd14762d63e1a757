"""Complete a palindrome: an LSTM, trained at 5 to 40 digits, predicts its last digit.

python predict.py 12345432                              prints 123454321
python predict.py 12345432 --weights run/rnn_t20.pth    as another network answers
"""

import argparse
import re
from pathlib import Path

import torch

from common import HERE, Formatter
from dataset import encode
from networks import load_network


@torch.no_grad()
def predict(model, digits):
    """Return the digit, 0 to 9, with the largest logit after digits, a string of 0 to 9."""
    x = torch.tensor([[int(digit) for digit in digits]])  # (1, T - 1)
    logits, _ = model(encode(x, one_hot=model.made_from["input_dim"] == 10))
    return logits.argmax().item()


def main():
    """Print the digits with the predicted one, and say if that makes no palindrome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Formatter)
    parser.add_argument("digits", help="the palindrome without its last digit: four digits or more")
    parser.add_argument("--weights", type=Path, default=HERE / "palindrome_lstm.pth", help="file")
    args = parser.parse_args()
    if not re.fullmatch("[0-9]{4,}", args.digits):
        parser.error(f"argument digits: {args.digits!r} is not a row of four or more digits")
    palindrome = args.digits + args.digits[0]
    if palindrome != palindrome[::-1]:
        parser.error(f"argument digits: no last digit makes {args.digits} a palindrome")
    completed = f"{args.digits}{predict(load_network(args.weights), args.digits)}"
    print(completed)
    if completed != palindrome:
        print("The network is wrong: this is no palindrome.")


if __name__ == "__main__":
    main()
