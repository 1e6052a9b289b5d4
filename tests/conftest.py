"""What a test changes of torch's process-wide state is gone when the next test begins."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _torch_as_it_was():
    """Stages called in this process set threads and determinism, on which the last bits of a
    result depend: without this a test would pass or fail by its place in the order."""
    threads = torch.get_num_threads()
    mode = torch.get_deterministic_debug_mode()
    fills = torch.utils.deterministic.fill_uninitialized_memory
    yield
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)
    torch.utils.deterministic.fill_uninitialized_memory = fills
