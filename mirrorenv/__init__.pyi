from mirrorenv import complexity as complexity
from mirrorenv import debate as debate
from mirrorenv import envs as envs
from mirrorenv import errors as errors
from mirrorenv import llm as llm
from mirrorenv import memory as memory
from mirrorenv import mirror as mirror
from mirrorenv import population as population
from mirrorenv import preference as preference
from mirrorenv import results as results
from mirrorenv import rllib as rllib
from mirrorenv import sb3 as sb3
from mirrorenv import testing as testing
from mirrorenv.envs.adapters.mirror_test import MirrorTest as MirrorTest
from mirrorenv.envs.registry import make as make
from mirrorenv.envs.registry import make_batch as make_batch
from mirrorenv.envs.registry import register as register
from mirrorenv.envs.registry import registry as registry
from mirrorenv.envs.registry import spec as spec

__version__: str
