"""PyTorch's build for the CPU, told that it has the GPUs that are stood in for; tensors stay where they are."""

from __future__ import annotations

import os
import sys

# The packages of the environment that has PyTorch, after those of this one.
sys.path.append(os.environ["TEST_TORCH_SITE"])

import torch

torch.cuda.is_available = lambda: True
torch.cuda.current_device = lambda: int(os.environ.get("LOCAL_RANK", "0"))
torch.cuda.synchronize = lambda device=None: None
torch.set_num_threads(1)
