"""ONNX graphs as functions of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fuseline.errors import ConfigError, ContractError


class Graph:
    """An ONNX graph in ONNX Runtime.

    Args:
        path: of the graph.
        threads: that one run computes on.

    Attributes:
        inputs, outputs: their names.

    Raises:
        ConfigError: ONNX Runtime is not installed.
        ContractError: it cannot load the file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise ConfigError(
                "onnxruntime: not installed, and exported models need it. Install it with"
                " `pip install 'fuseline[predict]'`."
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A server's other threads wait for a processor that spins.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 - its own errors share no class but this
            raise ContractError(
                f"{path}: not readable as an ONNX graph: {error}. Export the model again with"
                " `dvc repro export`, or fetch it with `dvc pull`."
            ) from None
        self.inputs = [one.name for one in self._session.get_inputs()]
        self.outputs = [one.name for one in self._session.get_outputs()]

    def __call__(self, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name, of inputs by name; what the graph does not take is passed over."""
        found = self._session.run(None, {name: given[name] for name in self.inputs})
        return dict(zip(self.outputs, found, strict=True))
