"""Palindromes: the first T - 1 digits are the input, the T-th is the target."""

import copy

import numpy as np
import torch
from torch.utils.data import Dataset


def encode(digits, one_hot):
    """Return digits (...) as float32 inputs: (..., 10) if one_hot, else (..., 1), from 0 to 9."""
    if one_hot:
        return torch.eye(10, device=digits.device)[digits.long()]
    return digits.float().unsqueeze(-1)


class PalindromeDataset(Dataset):
    """Distinct random palindromes of T = input_length + 1 digits, in random order.

    It holds total_len of them, or all that exist if these are fewer (T = 5 has 1,000). The same
    input_length, total_len and seed give the same palindromes; other lengths have independent ones.
    Raises ValueError when input_length or total_len is below 1.

    An item is `(inputs, target)`. The inputs are float32 (input_length, 10) if one_hot, else
    (input_length, 1); the target is int64 (), the last digit. Palindromes may begin with 0. All
    digits lie in `digits`, uint8 (len, T).
    """

    def __init__(self, input_length, total_len, one_hot=False, seed=0):
        if input_length < 1 or total_len < 1:
            raise ValueError(f"at least 1 is needed, got {input_length=}, {total_len=}")
        T = input_length + 1
        half = (T + 1) // 2
        total_len = min(total_len, 10**half)  # the first half decides the rest
        rng = np.random.default_rng([seed, T])  # without T all lengths would begin alike
        # Distinct numbers make distinct palindromes. 10**half overflows int64 from T = 37 on, so
        # the number gives the first 18 digits. They already differ, so the others are drawn freely.
        known = min(half, 18)
        numbers = rng.choice(10**known, total_len, replace=False)
        powers = 10 ** np.arange(known, dtype=np.int64)[::-1]
        left = np.empty((total_len, half), dtype=np.uint8)
        left[:, :known] = numbers[:, None] // powers % 10  # decimal digits, the highest first
        left[:, known:] = rng.integers(10, size=(total_len, half - known), dtype=np.uint8)
        right = left[:, : T // 2][:, ::-1]
        self.digits = torch.from_numpy(np.concatenate([left, right], axis=1))
        self.one_hot = one_hot

    def __len__(self):
        """Return how many palindromes there are."""
        return len(self.digits)

    def __getitem__(self, index):
        """Return one item, or for a slice or a tensor of indices a batch of them."""
        digits = self.digits[index]
        return encode(digits[..., :-1], self.one_hot), digits[..., -1].long()

    def split(self, portion):
        """Return two datasets that share no palindrome: the first int(portion * len), the rest."""
        cut = int(portion * len(self))
        first, rest = copy.copy(self), copy.copy(self)
        first.digits, rest.digits = self.digits[:cut], self.digits[cut:]
        return first, rest
