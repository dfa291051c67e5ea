"""Who acts: the modules that choose the agents' actions. One kind of agent is one file here."""

from mirrorenv.population.actors.base import (
    ACTORS,
    Actor,
    ActorOutput,
    register_account,
    register_actor,
)
from mirrorenv.population.actors.build import build_actor, network_actor
from mirrorenv.population.actors.common import CommonActor
from mirrorenv.population.actors.encoders import ENCODERS, StackedEncoder, register_encoder
from mirrorenv.population.actors.network import NetworkActor
from mirrorenv.population.actors.separate import SeparateActor
from mirrorenv.population.actors.shared import IndexAfterTrunk, IndexBeforeTrunk

__all__ = [
    "ACTORS",
    "ENCODERS",
    "Actor",
    "ActorOutput",
    "CommonActor",
    "IndexAfterTrunk",
    "IndexBeforeTrunk",
    "NetworkActor",
    "SeparateActor",
    "StackedEncoder",
    "build_actor",
    "network_actor",
    "register_account",
    "register_actor",
    "register_encoder",
]
