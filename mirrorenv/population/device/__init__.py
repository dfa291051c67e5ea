"""Worlds, play and learning on the learner's device: nothing of a minibatch comes to the host."""

from mirrorenv.population.device.loop import DeviceLoop
from mirrorenv.population.device.namespace import TorchNamespace
from mirrorenv.population.device.random import DeviceRandom
from mirrorenv.population.device.world import DeviceStep, DeviceWorld

__all__ = ["DeviceLoop", "DeviceRandom", "DeviceStep", "DeviceWorld", "TorchNamespace"]
