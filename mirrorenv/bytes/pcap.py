"""Reads recorded packets from a file in the pcap format, which may come from anybody.

The classic format of libpcap, both byte orders, micro- and nanoseconds: a header of 24 bytes, then
packets of 16 bytes of header and as many bytes as it says. Every length is held to a bound before
it is believed; nothing of a packet is interpreted.
"""

from __future__ import annotations

import struct
from pathlib import Path

from mirrorenv.errors import StoreError

__all__ = ["read_packets", "write_packets"]

_ORDERS = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",
}
_MOST_BYTES = 16 << 20  # of a file
_MOST_PACKETS = 100_000
_MOST_PACKET = 1 << 18  # the largest snapshot length of libpcap


def read_packets(path: Path) -> list[bytes]:
    """The packets of a file, in order; one that was cut off by the end of the file is left out.

    Args:
        path: of the file, at most 16 MB of which is read.

    Raises:
        StoreError: if it cannot be read, is no pcap file, says a length out of bounds, or holds
            no bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError as error:
        raise StoreError(f"the capture {path} cannot be read: {error.strerror}") from error
    order = _ORDERS.get(data[:4])
    if order is None or len(data) < 24:
        raise StoreError(f"{path} is no pcap file: record one with tcpdump -w, or leave it out")
    packets: list[bytes] = []
    place = 24
    while place + 16 <= len(data) and len(packets) < _MOST_PACKETS:
        (length,) = struct.unpack_from(f"{order}I", data, place + 8)
        if length > _MOST_PACKET:
            raise StoreError(
                f"{path}: packet {len(packets)} says it has {length} bytes, more than "
                f"{_MOST_PACKET}: the file is damaged or made to do harm"
            )
        place += 16
        if place + length > len(data):
            break
        packets.append(data[place : place + length])
        place += length
    if not any(packets):
        raise StoreError(f"{path} holds no packet with a byte in it")
    return packets


def write_packets(path: Path, packets: list[bytes]) -> None:
    """Write a pcap file of raw packets, for tests and examples."""
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _MOST_PACKET, 147)
    parts = [header]
    for number, packet in enumerate(packets):
        parts += [struct.pack("<IIII", number, 0, len(packet), len(packet)), packet]
    path.write_bytes(b"".join(parts))
