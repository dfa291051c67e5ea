from mirrorenv import complexity as complexity
from mirrorenv import debate as debate
from mirrorenv import envs as envs
from mirrorenv import errors as errors
from mirrorenv import instrument as instrument
from mirrorenv import llm as llm
from mirrorenv import memory as memory
from mirrorenv import mirror as mirror
from mirrorenv import population as population
from mirrorenv import preference as preference
from mirrorenv import results as results
from mirrorenv import rllib as rllib
from mirrorenv import sb3 as sb3
from mirrorenv import testing as testing
from mirrorenv.envs import make as make
from mirrorenv.envs import make_batch as make_batch
from mirrorenv.envs import register as register
from mirrorenv.envs import registry as registry
from mirrorenv.envs import spec as spec
from mirrorenv.envs.adapters.mirror_test import MirrorTest as MirrorTest
from mirrorenv.instrument.live.environment import LiveMirror as LiveMirror
from mirrorenv.instrument.telling_apart import identity as identity

__version__: str
