"""The largest eigenvalues of a loss's Hessian, by Lanczos iterations on Hessian-vector products.

Nothing of the size P x P is made. Golub and Van Loan, "Matrix Computations", section 10.1, with
full reorthogonalisation.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mirrorenv.errors import ConfigError

__all__ = ["hessian_product", "largest_eigenvalues"]


def hessian_product(loss: Callable[[Tensor], Tensor], at: Tensor) -> Callable[[Tensor], Tensor]:
    """The map from a direction to the Hessian times it.

    Args:
        loss: (P,) -> scalar.
        at: (P,) where the Hessian is taken.

    Returns:
        (P,) -> (P,).
    """
    point = at.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(loss(point), point, create_graph=True)

    def product(direction: Tensor) -> Tensor:
        (moved,) = torch.autograd.grad(slope, point, direction, retain_graph=True)
        return moved.detach()

    return product


def largest_eigenvalues(
    product: Callable[[Tensor], Tensor],
    size: int,
    count: int,
    generator: torch.Generator,
    *,
    steps: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """The eigenvalues of a symmetric matrix that are largest in value.

    Args:
        product: (P,) -> (P,), the matrix times a vector.
        size: P.
        count: how many are wanted.
        generator: source of the first direction.
        steps: Lanczos iterations, at most P; four times `count` plus 20 if 0.
        dtype: in which the iteration runs.

    Returns:
        (count,) in descending order.

    Raises:
        ConfigError: if more are wanted than there are.
    """
    if not 1 <= count <= size:
        raise ConfigError(f"largest_eigenvalues: count = {count} of a {size} x {size} matrix")
    rounds = min(size, max(count, steps or 4 * count + 20))
    vector = torch.randn(size, generator=generator, dtype=dtype)
    vector /= vector.norm()
    basis: list[Tensor] = []
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    for _ in range(rounds):
        basis.append(vector)
        following = product(vector).to(dtype)
        diagonal.append(following @ vector)
        known = torch.stack(basis)  # (j, P)
        for _ in range(2):  # twice is enough (Kahan and Parlett)
            following = following - known.T @ (known @ following)
        length = following.norm()
        if length < 1e-10:  # an invariant subspace: all that this start can see
            break
        beside.append(length)
        vector = following / length
    inner = torch.diag(torch.stack(diagonal))
    if len(diagonal) > 1:
        off = torch.stack(beside[: len(diagonal) - 1])
        inner = inner + torch.diag(off, 1) + torch.diag(off, -1)
    found: Tensor = torch.linalg.eigvalsh(inner).flip(0)
    if len(found) < count:
        found = torch.cat([found, found.new_zeros(count - len(found))])
    return found[:count]
