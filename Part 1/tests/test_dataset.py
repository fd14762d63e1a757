"""Tests of the palindromes."""

import itertools

import pytest
import torch
from torch.utils.data import DataLoader

from dataset import PalindromeDataset


@pytest.mark.parametrize("T", [2, 3, 5, 20, 35, 36, 37, 38, 1001])
def test_palindromes_are_distinct_and_read_the_same_both_ways(T):
    dataset = PalindromeDataset(T - 1, 500)
    assert len(dataset) == min(500, 10 ** ((T + 1) // 2))
    assert torch.equal(dataset.digits, dataset.digits.flip(1))
    assert len(set(map(bytes, dataset.digits.numpy()))) == len(dataset)
    assert dataset.digits.unique().tolist() == list(range(10))
    if len(dataset) == 500:  # each free digit is uniform: 50 of each, give or take 6 sigma
        counts = torch.nn.functional.one_hot(dataset.digits.long()).sum(dim=0)
        assert 10 <= counts.min() <= counts.max() <= 90


def test_palindromes_of_different_lengths_and_seeds_begin_independently():
    beginnings = {
        (T, seed): set(map(bytes, PalindromeDataset(T - 1, 1000, seed=seed).digits[:, :8].numpy()))
        for T, seed in ((17, 0), (20, 0), (20, 1), (39, 0), (40, 1), (1000, 0))
    }
    for a, b in itertools.combinations(beginnings, 2):
        assert len(beginnings[a] & beginnings[b]) <= 3, (a, b)


def test_an_item_is_all_digits_but_the_last_and_the_last():
    for one_hot, width in (True, 10), (False, 1):
        dataset = PalindromeDataset(19, 30, one_hot)
        inputs, targets = next(iter(DataLoader(dataset, batch_size=30)))
        assert (inputs.shape, inputs.dtype) == ((30, 19, width), torch.float32)
        assert (targets.shape, targets.dtype) == ((30,), torch.int64)
        value = inputs.argmax(dim=-1) if one_hot else inputs.squeeze(-1).long()
        assert torch.equal(value, dataset.digits[:, :19].long())
        assert torch.equal(targets, value[:, 0]), "the last digit mirrors the first"
