"""A broker on this machine, for tests and for runs that need none elsewhere.

    python -m mirrorenv.bytes.exchange.broker [PORT]

Mosquitto where it is installed, else amqtt (pip). It listens on the loopback address only.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mirrorenv.errors import WorldError, require

__all__ = ["broker_command", "free_port", "local_broker"]

_START_S = 60.0
_CODE = "from mirrorenv.bytes.exchange.broker import serve; serve({})"


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def broker_command(port: int, folder: Path) -> list[str]:
    """What starts a broker on a port of this machine; `folder` holds its settings."""
    if mosquitto := shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin"):
        settings = folder / "mosquitto.conf"
        settings.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
        )
        return [mosquitto, "-c", str(settings)]
    return [sys.executable, "-c", _CODE.format(port)]


@contextlib.contextmanager
def local_broker(port: int) -> Iterator[None]:
    """A broker that runs inside the `with`.

    Raises:
        WorldError: if it does not come up.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = broker_command(port, Path(folder))
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
        )
        try:
            _wait_for(port, process)
            yield
        finally:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    raise WorldError(f"no broker came up on port {port}: install mosquitto, or pip install amqtt")


def serve(port: int) -> None:
    """Serve with amqtt until the process ends.

    Raises:
        MissingExtraError: if amqtt is not installed.
    """
    require("amqtt", "dev")
    from amqtt.broker import Broker

    listen = {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}

    async def forever() -> None:
        broker = Broker({"listeners": listen, "plugins": plugins})
        await broker.start()
        await asyncio.Event().wait()

    asyncio.run(forever())


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else 1883
    with local_broker(chosen):
        print(f"a broker listens on 127.0.0.1:{chosen}; Ctrl-C ends it", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)
