"""Programs written by hand: what they do is known to the instruction."""

from __future__ import annotations

from mirrorenv.bytes.machine.kernel import CALLS

CALL = bytes.fromhex("0f05")


def numbered(number: int) -> bytes:
    """Set rax to a number below 128: push imm8; pop rax."""
    return b"\x6a" + bytes([number]) + b"\x58"


def all_calls() -> bytes:
    """Each of the sixteen calls once, exit last: five bytes each."""
    order = sorted(CALLS, key=lambda number: (CALLS[number] in ("exit", "kill"), number))
    return b"".join(numbered(number) + CALL for number in order)


def make_folder(name: bytes) -> bytes:
    """mkdir(name, 0o700), the name within the program itself."""
    #    lea rdi, [rip + 8]  mov esi, 0o700    mov al, 83  syscall  jmp over the name
    body = bytes.fromhex("488d3d00000000") + b"\xbe\xc0\x01\x00\x00" + numbered(83) + CALL
    jump = b"\xeb" + bytes([len(name) + 1])
    offset = len(body) + len(jump) - 7
    body = bytes.fromhex("488d3d") + offset.to_bytes(4, "little") + body[7:]
    return body + jump + name + b"\0"


HOSTILE = {
    "writes to its own code": bytes.fromhex("488d05000000008800"),
    "jumps into its stack": bytes.fromhex("68 9090c3c3 54 c3".replace(" ", "")),
    "jumps to itself": bytes.fromhex("ebfe"),
    "repeats without end": bytes.fromhex("48c7c1ffffffff48bf0000200000000000f3aa"),
    "calls itself without end": bytes.fromhex("e8fbffffff"),
    "floods calls": bytes.fromhex("0f05ebfc"),
    "halts": bytes.fromhex("f4"),
    "switches interrupts off": bytes.fromhex("fa"),
    "talks to a port": bytes.fromhex("e440"),
    "turns paging off": bytes.fromhex("31c00f22c0"),
    "loads a descriptor table": bytes.fromhex("0f0118"),
    "writes a model-specific register": bytes.fromhex("0f30"),
    "asks for the time": bytes.fromhex("0f31"),
    "asks for the time, prefixed": bytes.fromhex("66400f31"),
    "asks for the time, as VEX": bytes.fromhex("c51331"),
    "asks for the time and the processor": bytes.fromhex("0f01f9"),
    "asks for chance": bytes.fromhex("480fc7f0"),
    "asks for a seed": bytes.fromhex("0fc7f8"),
    "asks for the processor": bytes.fromhex("f30fc7f8"),
    "jumps far": bytes.fromhex("ea000000000000"),
    "jumps far through memory": bytes.fromhex("48ff2f"),
    "returns far": bytes.fromhex("cb"),
    "enters the kernel otherwise": bytes.fromhex("0f34"),
    "interrupts": bytes.fromhex("cd80"),
    "breaks": bytes.fromhex("cc"),
    "divides by zero": bytes.fromhex("31c9f7f1"),
    "reads nowhere": bytes.fromhex("488b042500000000"),
    "is misaligned on purpose": bytes.fromhex("eb01ff0f05"),
    "prefixes without end": b"\x66" * 64,
    "is one byte of something longer": bytes.fromhex("48b8"),
    "loads a segment": bytes.fromhex("8ed8"),
    "asks for the machine": bytes.fromhex("0fa2"),
}
