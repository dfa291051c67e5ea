from mirrorenv.sb3.callback import MirrorCallback as MirrorCallback
from mirrorenv.sb3.make import vec_env as vec_env
from mirrorenv.sb3.shared_policy import SharedPolicyVecEnv as SharedPolicyVecEnv
