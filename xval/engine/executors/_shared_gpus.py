"""Decide how many workers share each GPU of a run, and which jobs get a GPU without sharing.

At the start there are fewer workers where other programs use a part of a GPU's memory; one more follows when that is free
again. After a job that ran out of memory there are fewer, and no more follow; the job is repeated without sharing.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace

from xval.backend.devices import CONTEXT_MB, Slot
from xval.backend.gpu_readings import count_room, read_gpu
from xval.jobs.job import Job

_MARGIN = 1.25  # of what a worker is seen to take, because it may take more in what follows


class SharedGpus:
    """The slots of a run.

    Attributes:
        slots: A slot for each worker, by its number, with the share of memory that it has now.
        active: The numbers of those that are in use.
    """

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slots = list(slots)
        self.active = set(range(len(slots)))
        self._alone: dict[str, deque[Job]] = defaultdict(deque)
        self._has_alone: dict[str, int] = {}  # device -> worker
        self._memory_mb: dict[str, float] = {}
        self._others_mb: dict[str, float] = {}  # device -> what was in use at the start
        self._trained: set[int] = set()  # slots whose workers have trained an epoch since their GPU was asked last
        for device in dict.fromkeys(slot.device for slot in slots if slot.memory_share < 1):
            if reading := read_gpu(device):
                self._memory_mb[device], self._others_mb[device] = reading.memory_mb, reading.used_mb
                share_mb = reading.memory_mb * self.slots[self.of(device)[0]].memory_share
                self._keep(device, count_room(reading, share_mb), is_final=False)

    def of(self, device: str) -> list[int]:
        """Return the numbers of the active slots of a device."""
        return [number for number in sorted(self.active) if self.slots[number].device == device]

    def is_shared(self, number: int) -> bool:
        """Return whether the worker of a slot, as it runs now, has only a share of a GPU."""
        slot = self.slots[number]
        return slot.memory_share < 1 and self._has_alone.get(slot.device) != number

    def takes_work(self, number: int) -> bool:
        """Return whether a slot is in use, and no job waits to have its GPU to itself, or has it."""
        device = self.slots[number].device
        return number in self.active and not self._alone[device] and device not in self._has_alone

    def add_after_epoch(self, number: int) -> bool:
        """Use one slot more of a GPU, if all of its workers have trained an epoch and leave room for what they take.

        The worker of the slot `number` has trained an epoch. Returns whether there is one slot more.
        """
        device = self.slots[number].device
        unused = [place for place, slot in enumerate(self.slots) if slot.device == device and place not in self.active]
        if not unused or device not in self._others_mb or not self.takes_work(number):
            return False
        self._trained.add(number)
        workers = set(self.of(device))
        if not workers <= self._trained or (reading := read_gpu(device)) is None:
            return False
        self._trained -= workers
        worker_mb = max(CONTEXT_MB, (reading.used_mb - self._others_mb[device]) / len(workers))
        if reading.memory_mb - reading.used_mb < _MARGIN * worker_mb:
            return False
        self.active.add(unused[0])
        return True

    def give_alone(self, number: int, job: Job) -> None:
        """Have a job that ran out of memory at a slot wait for the GPU to be free; one worker less will share it later."""
        device = self.slots[number].device
        if not self._alone[device]:
            self._keep(device, len(self.of(device)) - 1)
        self._alone[device].append(job)

    def next_alone(self, busy: set[int]) -> tuple[int, Job] | None:
        """Return a job that is to have a GPU to itself and the number of its slot, if no `busy` slot is of that GPU."""
        for device, jobs in self._alone.items():
            if jobs and device not in self._has_alone and not any(self.slots[other].device == device for other in busy):
                self._has_alone[device] = self.of(device)[0]
                return self._has_alone[device], jobs.popleft()
        return None

    def slot(self, number: int) -> Slot:
        """Return the slot of a worker: all of the GPU for a job that has it to itself."""
        slot = self.slots[number]
        return slot if self._has_alone.get(slot.device) != number else replace(slot, memory_share=1.0)

    def end_alone(self, number: int, gpu_memory_mb: float) -> bool:
        """Take note that the worker of a slot has ended its job, which took `gpu_memory_mb` (0: not known).

        Returns whether that had a GPU to itself.
        """
        device = self.slots[number].device
        if self._has_alone.get(device) != number:
            return False
        del self._has_alone[device]
        if gpu_memory_mb and (memory_mb := self._memory_mb.get(device)):
            self._keep(device, int(memory_mb / (gpu_memory_mb + CONTEXT_MB)))
        return True

    def _keep(self, device: str, most: int, *, is_final: bool = True) -> None:
        """Limit the slots of a device, to at least one and at most as many as before; no slot is added to it later."""
        kept = self.of(device)
        self.active -= set(kept[max(1, most) :])
        if is_final:
            self._others_mb.pop(device, None)
            for number in self.of(device):
                self.slots[number] = replace(self.slots[number], memory_share=1 / len(self.of(device)))
