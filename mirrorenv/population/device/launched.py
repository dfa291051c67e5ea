"""What a piece of work asks of a device: kernels to launch, and moments at which the host waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Launched"]

# what gives the host a number, or a shape that depends on numbers
_WAITS = {
    "aten._local_scalar_dense",
    "aten.nonzero",
    "aten.masked_select",
    "aten.equal",
    "aten._unique2",
    "aten.unique_dim",
}
# what changes no more than a tensor's shape, though it does not say so
_NOTHING = {"aten.detach", "aten._unsafe_view"}


class Launched(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's is untyped
    """Counts, while it is active, operations that are no mere views.

    Attributes:
        kernels: how many.
        waits: names of those that the host waits for.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels = 0
        self.waits: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = str(func).rpartition(".")[0]
        if name in _WAITS:
            self.waits.append(name)
        alias = [one.alias_info for one in func._schema.returns]
        view = any(one is not None and not one.is_write for one in alias)
        self.kernels += not (view or "empty" in name or name in _NOTHING)
        return func(*args, **(kwargs or {}))
