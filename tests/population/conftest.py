"""Small tensors: one thread is faster than two, and the same everywhere."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
