"""Palindromes: the first T-1 digits go in, the T-th is to be predicted."""

import copy

import numpy as np
import torch
from torch.utils.data import Dataset


def encode(digits, one_hot):
    """Digits (...) as float32 network inputs: (..., 10) if one_hot, else (..., 1), from 0 to 9."""
    if one_hot:
        return torch.eye(10, device=digits.device)[digits.long()]
    return digits.float().unsqueeze(-1)


def how_many(T):
    """How many palindromes of T digits there are: the first half decides the rest."""
    return 10 ** ((T + 1) // 2)


class PalindromeDataset(Dataset):
    """Distinct random palindromes of T = input_length + 1 digits, in random order.

    total_len is how many; where fewer exist (T=5 has 1,000), it takes all of them and says so.
    The same seed gives the same palindromes.

    An item is `(inputs, target)`: float32 (input_length, 10) if one_hot, else (input_length, 1);
    and int64 (), the last digit. All digits lie in `digits`, uint8 (total_len, T).
    """

    def __init__(self, input_length, total_len, one_hot=False, seed=0):
        if input_length < 1 or total_len < 1:
            raise ValueError(
                f"input_length and total_len must be at least 1, got {input_length}, {total_len}"
            )
        T = input_length + 1
        half = (T + 1) // 2
        if total_len > how_many(T):
            total_len = how_many(T)
            print(f"T={T} has only {total_len:,} palindromes: taking all of them")
        # Distinct numbers make distinct palindromes. 10 ** half does not fit an integer from
        # T = 37 on, so the numbers give at most 18 digits and further ones are drawn one by one.
        known = min(half, 18)
        rng = np.random.default_rng(seed)
        numbers = rng.choice(10**known, total_len, replace=False)
        left = np.empty((total_len, half), dtype=np.uint8)
        left[:, :known] = numbers[:, None] // 10 ** np.arange(known)[::-1] % 10
        left[:, known:] = rng.integers(10, size=(total_len, half - known), dtype=np.uint8)
        right = left[:, : T // 2][:, ::-1]
        self.digits = torch.from_numpy(np.concatenate([left, right], axis=1))
        self.one_hot = one_hot

    def __len__(self):
        """How many palindromes."""
        return len(self.digits)

    def __getitem__(self, index):
        """One item, or for a slice or a tensor of indices a batch of them."""
        digits = self.digits[index]
        return encode(digits[..., :-1], self.one_hot), digits[..., -1].long()

    def split(self, portion):
        """Two datasets without a common palindrome: the first int(portion * len), and the rest."""
        cut = int(portion * len(self))
        first, rest = copy.copy(self), copy.copy(self)
        first.digits, rest.digits = self.digits[:cut], self.digits[cut:]
        return first, rest
