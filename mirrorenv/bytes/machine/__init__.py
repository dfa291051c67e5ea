"""Where bytes are executed: an emulator in a supervised child process, over an emulated kernel.

Nothing that an agent utters is ever run natively, and no call that it makes reaches the host.
"""
