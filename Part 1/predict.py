"""Complete a palindrome: print the last digit, as the committed LSTM answers.

    python predict.py 31415926
    python predict.py 31415926 --weights run/rnn_t20.pth     as another network answers

The digits are the palindrome without its last one: four or more, of which only the first decides.
"""

from pathlib import Path

import torch

from common import HERE, make_parser, run
from dataset import encode
from networks import input_size, load_network


@torch.no_grad()
def main():
    """Read the digits and print the answer."""
    parser = make_parser(__doc__)
    parser.add_argument("digits", metavar="DIGITS", help="four or more digits")
    committed, weights_help = HERE / "palindrome_lstm.pth", "what train.py or study_proof.py saved"
    parser.add_argument("--weights", type=Path, default=committed, help=weights_help)
    args = parser.parse_args()
    if len(args.digits) < 4 or not (args.digits.isascii() and args.digits.isdigit()):
        parser.error(f"argument DIGITS: {args.digits!r} is not a row of four or more digits 0 to 9")
    model = load_network(args.weights)
    digits = torch.tensor([[int(digit) for digit in args.digits]])
    logits, _ = model(encode(digits, one_hot=input_size(model.state_dict()) == 10))
    print(logits.argmax().item())


if __name__ == "__main__":
    run(main)
