"""A training step of `cnn_small` written by hand in torch, channels last, as the reference for a step of the engine.

It has the batches, network, optimizer and validation that `networks.py` gives to the engine, and writes the seconds of each
epoch to epochs.txt in the current folder, as `_step_clock.py` does.
"""

import time
from pathlib import Path

import numpy as np
import torch
from torch import nn


def build(n_classes: int) -> nn.Module:
    """Return the network for 64 frames of 40 bins."""
    blocks: list[nn.Module] = []
    n_channels = 1
    for filters in (16, 32, 64, 128):
        blocks += [
            nn.Conv2d(n_channels, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters, eps=1e-3),
            nn.MaxPool2d(2),
            nn.ReLU(),
        ]
        n_channels = filters
    # 4 frames are left, which are averaged, and 2 bins, which keep their place.
    head = (nn.AvgPool2d((4, 1)), nn.Flatten(), nn.Dropout(0.3), nn.Linear(2 * n_channels, n_classes))
    return nn.Sequential(*blocks, *head).to(memory_format=torch.channels_last)


def train(n_epochs: int, n_steps: int, batch_size: int, n_validation: int, n_classes: int) -> None:
    """Train on noise, and write the seconds of each epoch."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    n_examples = n_steps * batch_size
    examples = torch.tensor(rng.normal(size=(n_examples, 1, 64, 40)).astype("float32")).to(memory_format=torch.channels_last)
    targets = torch.arange(n_examples) % n_classes
    network = build(n_classes)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-5)
    compute_loss = nn.CrossEntropyLoss()
    for _ in range(n_epochs):
        began = time.perf_counter()
        network.train()
        for rows in torch.randperm(n_examples).split(batch_size):
            optimizer.zero_grad()
            compute_loss(network(examples[rows]), targets[rows]).backward()
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            network(examples[:n_validation])
        with Path("epochs.txt").open("a", encoding="utf-8") as file:
            file.write(f"{time.perf_counter() - began}\n")
