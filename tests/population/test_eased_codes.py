"""A refit from present codes: what it finds is approached, so that no state changes its number from
one update to the next."""

from __future__ import annotations

import torch

from mirrorenv.population.objectives.codebook import Codebook, k_means


def test_a_warm_refit_is_approached_and_reached() -> None:
    draws = torch.Generator().manual_seed(0)
    book = Codebook(2, 3, 4, draws)
    rows = torch.randn(2, 60, 4, generator=draws)
    before = book.codes.clone()
    wanted = k_means(rows, before)
    book.refit_warm(rows)
    assert torch.equal(book.codes, before), "nothing jumps"
    book.ease(0.5)
    torch.testing.assert_close(book.codes, (before + wanted) / 2)
    for _ in range(40):
        book.ease(0.5)
    torch.testing.assert_close(book.codes, wanted)


def test_codes_that_are_fitted_anew_stay_where_they_are() -> None:
    draws = torch.Generator().manual_seed(0)
    book = Codebook(1, 3, 4, draws)
    book.fit(torch.randn(1, 60, 4, generator=draws), draws)
    found = book.codes.clone()
    book.ease(0.3)
    torch.testing.assert_close(book.codes, found)
