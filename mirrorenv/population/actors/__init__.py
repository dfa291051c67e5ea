"""Who acts: the modules that choose the agents' actions. One kind of agent is one file here."""

from mirrorenv.population.actors.base import (
    ACTORS,
    Actor,
    ActorOutput,
    build_actor,
    register_actor,
)
from mirrorenv.population.actors.network import NetworkActor

__all__ = ["ACTORS", "Actor", "ActorOutput", "NetworkActor", "build_actor", "register_actor"]
