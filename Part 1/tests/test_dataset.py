"""Tests of the palindromes."""

import itertools

import pytest
import torch

from dataset import PalindromeDataset


@pytest.mark.parametrize("T", [2, 3, 5, 20, 35, 36, 37, 38, 1001])
def test_palindromes_are_distinct_and_read_the_same_both_ways(T):
    dataset = PalindromeDataset(T - 1, 500)
    assert len(dataset) == min(500, 10 ** ((T + 1) // 2))
    assert dataset.digits.dtype == torch.uint8
    assert torch.equal(dataset.digits, dataset.digits.flip(1))
    assert torch.equal(dataset.digits, PalindromeDataset(T - 1, 500, seed=0).digits)
    assert len(set(map(bytes, dataset.digits.numpy()))) == len(dataset)
    counts = torch.nn.functional.one_hot(dataset.digits.long(), 10).sum(dim=0) / len(dataset)
    assert 0.02 <= counts.min() <= counts.max() <= 0.18  # each digit is uniform: 6 sigma


def test_palindromes_of_different_lengths_and_seeds_begin_independently():
    beginnings = []
    for T, seed in (19, 0), (20, 0), (21, 0), (20, 1), (38, 0), (39, 0), (40, 1), (1000, 0):
        digits = PalindromeDataset(T - 1, 1000, seed=seed).digits
        beginnings.append(set(map(bytes, digits[:, :8].numpy())))
    assert all(len(a & b) <= 3 for a, b in itertools.combinations(beginnings, 2))


def test_an_item_is_all_digits_but_the_last_and_the_last_and_both_sides_of_a_split_are_mixed():
    for dataset, width in (PalindromeDataset(19, 30, True), 10), (PalindromeDataset(19, 30), 1):
        inputs, targets = dataset[:]
        assert (inputs.shape, inputs.dtype) == ((30, 19, width), torch.float32)
        value = inputs.argmax(dim=-1) if width == 10 else inputs.squeeze(-1).long()
        assert torch.equal(value, dataset.digits[:, :19].long())
        assert torch.equal(targets, value[:, 0]), "the last digit mirrors the first"
    dataset = PalindromeDataset(4, 2000)
    first, rest = (side.digits for side in dataset.split(0.7))
    assert torch.equal(torch.cat([first, rest]), dataset.digits)
    assert (len(first), len(rest[:, 0].unique())) == (700, 10)
