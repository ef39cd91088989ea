"""Add the driver's readings of the GPU during a job to its record."""

from typing import Any

from xval.backend import gpu_readings
from xval.jobs.claim import ClaimedFold, Report
from xval.jobs.observers import Observer


class GpuReadings(Observer):
    """Reads a GPU at the start and at the end of a job."""

    def __init__(self, claimed: ClaimedFold, _report: Report) -> None:
        gpu_readings.note_data_share(None)
        self._device, self._before = claimed.device, gpu_readings.readings(claimed.device)

    def complete(self, record: dict[str, Any]) -> None:
        """Add the readings since the start, if a GPU was used."""
        if "gpu" in record:
            record["gpu"] = {**record["gpu"], **gpu_readings.describe_since(self._device, self._before)}


watch = GpuReadings
