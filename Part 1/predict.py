"""Complete a palindrome: print the last digit, as the committed LSTM answers.

python predict.py 31415926
python predict.py 31415926 --weights run/rnn_t20.pth     as another network answers
"""

import argparse
import re
from pathlib import Path

import torch

from common import HERE, Formatter
from dataset import encode
from networks import load_network

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Formatter)
    text = "four or more: the palindrome without its last digit"
    parser.add_argument("digits", help=text)
    committed, text = HERE / "palindrome_lstm.pth", "what train.py or study_proof.py saved"
    parser.add_argument("--weights", type=Path, default=committed, help=text)
    args = parser.parse_args()
    if not re.fullmatch("[0-9]{4,}", args.digits):
        parser.error(f"argument digits: {args.digits!r} is not a row of four or more digits")
    model = load_network(args.weights)
    weights = model.Whx if hasattr(model, "Whx") else model.W[:, : -model.Wph.shape[1]]
    logits, _ = model(encode(torch.tensor([[*map(int, args.digits)]]), weights.shape[1] == 10))
    print(logits.argmax().item())
