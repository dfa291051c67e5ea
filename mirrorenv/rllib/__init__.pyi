from mirrorenv.rllib.algorithm import MirrorPPO as MirrorPPO
from mirrorenv.rllib.algorithm import MirrorPPOConfig as MirrorPPOConfig
from mirrorenv.rllib.attaching.attach import attach as attach
from mirrorenv.rllib.register import register_worlds as register_worlds
from mirrorenv.rllib.run import train as train
from mirrorenv.rllib.settings import RunSettings as RunSettings
from mirrorenv.rllib.settings import load_settings as load_settings
