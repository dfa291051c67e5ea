"""A real broker, encrypted and with passwords: let in with the right ones, and not otherwise."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mirrorenv.bytes.exchange.broker import free_port
from mirrorenv.bytes.exchange.mqtt import PASSWORD, MqttExchange
from mirrorenv.bytes.exchange.place import Place
from mirrorenv.errors import WorldError

pytest.importorskip("paho.mqtt.client")
_SBIN = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
_CERTIFICATE = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    for name in ("mosquitto", "mosquitto_passwd", "openssl"):
        if shutil.which(name, path=_SBIN) is None:
            pytest.skip(f"{name} is not installed")
    folder = tmp_path_factory.mktemp("broker")
    command = ["openssl", *_CERTIFICATE.split(), "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    passwords = ["mosquitto_passwd", "-b", "-c", "passwords", "ada", "right"]
    subprocess.run(passwords, cwd=folder, check=True, capture_output=True)
    for path in folder.iterdir():
        path.chmod(0o644)  # a broker that root starts reads them as somebody else
    folder.chmod(0o755)
    port = free_port()
    (folder / "settings").write_text(
        f"listener {port} 127.0.0.1\ncertfile {folder}/certificate.pem\n"
        f"keyfile {folder}/key.pem\npassword_file {folder}/passwords\nallow_anonymous false\n"
        "user root\n"
    )
    process = subprocess.Popen(
        [shutil.which("mosquitto", path=_SBIN) or "", "-c", str(folder / "settings")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port, folder / "certificate.pem"
    process.kill()
    process.wait()


def place(broker: tuple[int, Path], me: str, run: str) -> Place:
    port, authority = broker
    return Place.of(f"mqtts://ada@127.0.0.1:{port}/{run}?me={me}&all=a,b&ca={authority}")


def test_parties_with_the_password_hear_each_other(
    broker: tuple[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "right")
    parties = [MqttExchange(place(broker, me, "safe")) for me in "ab"]
    told = [np.full((2, 256), 1.0), np.full((2, 256), 2.0)]
    with ThreadPoolExecutor(2) as pool:
        heard = list(pool.map(lambda pair: pair[0].share(pair[1]), zip(parties, told, strict=True)))
    for party in parties:
        party.close()
    np.testing.assert_array_equal(heard[0], told[1])
    np.testing.assert_array_equal(heard[1], told[0])


def test_a_wrong_password_is_refused_and_said(
    broker: tuple[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "wrong")
    exchange = MqttExchange(place(broker, "a", "shut"), patience=2.0)
    with pytest.raises(WorldError, match=r"(?i)not authori[sz]ed"):
        exchange.share(np.zeros((1, 256)))
    exchange.close()


def test_a_broker_that_no_known_authority_vouches_for_is_refused(broker: tuple[int, Path]) -> None:
    port, _ = broker
    with pytest.raises(WorldError, match="certificate"):
        MqttExchange(Place.of(f"mqtts://ada@127.0.0.1:{port}/x?me=a&all=a,b"))


def test_an_authority_that_is_no_file_is_refused(broker: tuple[int, Path]) -> None:
    port, _ = broker
    with pytest.raises(WorldError, match="nowhere"):
        MqttExchange(Place.of(f"mqtts://127.0.0.1:{port}/x?me=a&all=a,b&ca=/nowhere"))
