"""The worlds: one file each that registers itself, its drawing and scripted players beside it.

To add one, add a file: :mod:`mirrorenv.envs.discovery` finds it.
"""
